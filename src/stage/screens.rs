//! Screens: windows that show a part of the canvas.

use super::Canvas;
use crate::manifest::Screen;
use crate::presence::View;
use bevy::asset::RenderAssetUsages;
use bevy::camera::visibility::RenderLayers;
use bevy::camera::{RenderTarget, ScalingMode};
use bevy::core_pipeline::tonemapping::Tonemapping;
use bevy::mesh::{Indices, PrimitiveTopology};
use bevy::prelude::*;
use bevy::render::view::Msaa;
use bevy::sprite_render::AlphaMode2d;
use bevy::window::{PresentMode, WindowCloseRequested, WindowMode, WindowRef, WindowResized, WindowResolution};

/// On a window: which screen it is, and what it shows.
#[derive(Component, Debug, Clone, Copy)]
pub(crate) struct ScreenOf {
    /// Counts from 0, in the order of the manifest.
    pub index: usize,
    /// In canvas units.
    pub view: View,
}

/// Set when the last window was closed by hand.
#[derive(Resource, Default)]
pub(crate) struct ScreensGone(pub bool);

/// On the mesh that shows the canvas in a window.
#[derive(Component)]
struct Pane(Entity);

#[derive(Resource)]
struct Screens(Vec<Screen>, String);

pub(super) fn plug(app: &mut App, screens: &[Screen], title: &str) {
    app.insert_resource(Screens(screens.to_vec(), title.to_owned()))
        .init_resource::<ScreensGone>()
        .insert_resource(ClearColor(Color::srgb_u8(11, 16, 32)))
        .add_systems(Startup, open)
        .add_systems(Update, (fit, close));
}

/// Opens a window for each screen, with a camera that sees only its own pane.
fn open(
    mut commands: Commands,
    screens: Res<Screens>,
    canvas: Res<Canvas>,
    mut meshes: ResMut<Assets<Mesh>>,
    mut materials: ResMut<Assets<ColorMaterial>>,
) {
    let material = materials.add(ColorMaterial {
        color: Color::WHITE,
        alpha_mode: AlphaMode2d::Opaque,
        uv_transform: bevy::math::Affine2::IDENTITY,
        texture: Some(canvas.image.clone()),
    });
    for (index, screen) in screens.0.iter().enumerate() {
        let layer = RenderLayers::layer(index + 1);
        let view = View::of(canvas.size, screen.part);
        let window = Window {
            title: if index == 0 { screens.1.clone() } else { format!("{} ({})", screens.1, index + 1) },
            resolution: WindowResolution::new(screen.size[0], screen.size[1]).with_scale_factor_override(1.0),
            position: screen.position.map_or(WindowPosition::Automatic, |[x, y]| WindowPosition::At(IVec2::new(x, y))),
            mode: if screen.fullscreen {
                WindowMode::BorderlessFullscreen(MonitorSelection::Index(index))
            } else {
                WindowMode::Windowed
            },
            // Two windows that both wait for their display would wait for each other.
            present_mode: if index == 0 { PresentMode::AutoVsync } else { PresentMode::AutoNoVsync },
            desired_maximum_frame_latency: std::num::NonZero::new(1),
            ..default()
        };
        let window = commands.spawn((window, ScreenOf { index, view })).id();
        commands.spawn((
            Camera2d,
            Camera { order: index as isize, ..default() },
            RenderTarget::Window(WindowRef::Entity(window)),
            Projection::Orthographic(OrthographicProjection {
                scaling_mode: ScalingMode::WindowSize,
                ..OrthographicProjection::default_2d()
            }),
            Msaa::Off,
            Tonemapping::None,
            layer.clone(),
            PaneCamera { window, first: index == 0 },
        ));
        let [left, top, width, height] = screen.part;
        let quad = Mesh::new(PrimitiveTopology::TriangleList, RenderAssetUsages::default())
            .with_inserted_attribute(
                Mesh::ATTRIBUTE_POSITION,
                vec![[-0.5_f32, -0.5, 0.0], [0.5, -0.5, 0.0], [0.5, 0.5, 0.0], [-0.5, 0.5, 0.0]],
            )
            .with_inserted_attribute(
                Mesh::ATTRIBUTE_UV_0,
                vec![[left, top + height], [left + width, top + height], [left + width, top], [left, top]],
            )
            .with_inserted_indices(Indices::U32(vec![0, 1, 2, 0, 2, 3]));
        let size = screen.size.map(|side| side as f32);
        commands.spawn((
            Mesh2d(meshes.add(quad)),
            MeshMaterial2d(material.clone()),
            Transform::from_scale(scale(&view, size)),
            layer,
            Pane(window),
        ));
    }
}

/// On a screen's camera: its window, and whether it is the first, which carries the operator's overlay.
#[derive(Component, Debug, Clone, Copy)]
pub(crate) struct PaneCamera {
    /// The window.
    pub window: Entity,
    /// Of the first screen.
    pub first: bool,
}

fn scale(view: &View, window: [f32; 2]) -> Vec3 {
    let [_, _, width, height] = view.fit(window);
    Vec3::new(width.max(1.0), height.max(1.0), 1.0)
}

/// All of the part is seen whatever the window's shape.
fn fit(
    mut resized: MessageReader<WindowResized>,
    screens: Query<&ScreenOf>,
    mut panes: Query<(&Pane, &mut Transform)>,
) {
    for change in resized.read() {
        let Ok(screen) = screens.get(change.window) else { continue };
        for (_, mut transform) in panes.iter_mut().filter(|(pane, _)| pane.0 == change.window) {
            transform.scale = scale(&screen.view, [change.width, change.height]);
        }
    }
}

/// A window that someone closes is closed; with the last one the show ends.
fn close(
    mut commands: Commands,
    mut requests: MessageReader<WindowCloseRequested>,
    windows: Query<Entity, With<ScreenOf>>,
    owned: Query<(Entity, Option<&Pane>, Option<&PaneCamera>)>,
    mut gone: ResMut<ScreensGone>,
) {
    let mut left = windows.iter().count();
    for request in requests.read() {
        for (entity, pane, camera) in &owned {
            let window = pane.map(|pane| pane.0).or(camera.map(|camera| camera.window));
            if window == Some(request.window) {
                commands.entity(entity).despawn();
            }
        }
        commands.entity(request.window).despawn();
        left = left.saturating_sub(1);
        gone.0 = left == 0;
    }
}

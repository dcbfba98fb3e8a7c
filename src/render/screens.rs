//! Screens: windows that show a part of the canvas.

use super::canvas::CanvasTexture;
use super::fullscreen::FullscreenFit;
use crate::config::ScreenConfig;
use crate::geometry::{FractionRect, WindowSize};
use crate::presence::CanvasRegion;
use bevy::asset::RenderAssetUsages;
use bevy::camera::visibility::RenderLayers;
use bevy::camera::{RenderTarget, ScalingMode};
use bevy::core_pipeline::tonemapping::Tonemapping;
use bevy::mesh::{Indices, PrimitiveTopology};
use bevy::prelude::*;
use bevy::render::view::Msaa;
use bevy::sprite_render::AlphaMode2d;
use bevy::window::{
    CursorOptions, Monitor, PresentMode, WindowCloseRequested, WindowMode, WindowRef, WindowResized, WindowResolution,
};
use std::collections::HashSet;

/// Component of a window: its screen, and the part of the canvas that it shows.
#[derive(Component, Debug, Clone, Copy)]
pub(crate) struct ScreenWindow {
    /// Index of the screen, from 0, in the order of the manifest.
    pub index: usize,
    /// In canvas units.
    pub view: CanvasRegion,
    /// True if the window covers its entire output.
    pub fullscreen: bool,
}

/// Set when the last window has been closed by hand.
#[derive(Resource, Default)]
pub(crate) struct AllScreensClosed(pub bool);

/// Component of the mesh that shows the canvas in a window.
#[derive(Component)]
struct CanvasQuad(Entity);

#[derive(Resource)]
struct ScreenWindows {
    screens: Vec<ScreenConfig>,
    title: String,
    pointer: bool,
    /// Screens closed by hand; all others should have a window.
    closed: HashSet<usize>,
}

pub(super) fn plug(app: &mut App, screens: &[ScreenConfig], title: &str, pointer: bool) {
    let (screens, title) = (screens.to_vec(), title.to_owned());
    app.insert_resource(ScreenWindows { screens, title, pointer, closed: HashSet::new() })
        .init_resource::<AllScreensClosed>()
        .insert_resource(ClearColor(Color::srgb_u8(11, 16, 32)))
        .add_systems(Update, (fit_quads, close_windows, despawn_orphans, open_windows).chain());
}

/// Opens missing windows: all screens at the start, and later those whose window disappeared with its monitor.
#[expect(clippy::too_many_arguments, reason = "a system names what it touches")]
fn open_windows(
    mut commands: Commands,
    screens: Res<ScreenWindows>,
    windows: Query<&ScreenWindow>,
    monitors: Query<(), With<Monitor>>,
    canvas: Res<CanvasTexture>,
    mut meshes: ResMut<Assets<Mesh>>,
    mut materials: ResMut<Assets<ColorMaterial>>,
    mut opened: Local<bool>,
) {
    // Without a monitor a window cannot be opened; at the start none is reported yet.
    if std::mem::replace(&mut *opened, true) && monitors.is_empty() {
        return;
    }
    let missing =
        |index: &usize| !screens.closed.contains(index) && !windows.iter().any(|window| window.index == *index);
    for index in (0..screens.screens.len()).filter(missing) {
        let screen = &screens.screens[index];
        let material = materials.add(ColorMaterial {
            color: Color::WHITE,
            alpha_mode: AlphaMode2d::Opaque,
            uv_transform: bevy::math::Affine2::IDENTITY,
            texture: Some(canvas.image.clone()),
        });
        let layer = RenderLayers::layer(index + 1);
        let view = CanvasRegion::from_fractions(canvas.size, screen.part);
        let window = Window {
            title: if index == 0 { screens.title.clone() } else { format!("{} ({})", screens.title, index + 1) },
            resolution: WindowResolution::new(screen.size[0], screen.size[1]).with_scale_factor_override(1.0),
            position: screen.position.map_or(WindowPosition::Automatic, |[x, y]| WindowPosition::At(IVec2::new(x, y))),
            mode: if screen.fullscreen {
                WindowMode::BorderlessFullscreen(MonitorSelection::Index(index))
            } else {
                WindowMode::Windowed
            },
            // A fullscreen window needs no frame to drag.
            decorations: !screen.fullscreen,
            // Two windows that both wait for their display would wait for each other.
            present_mode: if index == 0 { PresentMode::AutoVsync } else { PresentMode::AutoNoVsync },
            desired_maximum_frame_latency: std::num::NonZero::new(1),
            ..default()
        };
        let pointer = CursorOptions { visible: screens.pointer, ..default() };
        let screen_of = ScreenWindow { index, view, fullscreen: screen.fullscreen };
        let window = commands.spawn((window, pointer, screen_of, FullscreenFit::default())).id();
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
            ScreenCamera { window, first: index == 0 },
        ));
        let size = screen.size.map(|side| side as f32).into();
        commands.spawn((
            Mesh2d(meshes.add(quad_mesh(screen.part))),
            MeshMaterial2d(material),
            Transform::from_scale(quad_scale(&view, size)),
            layer,
            CanvasQuad(window),
        ));
    }
}

/// Creates a square of side 1 that shows a part of the canvas.
fn quad_mesh(part: FractionRect) -> Mesh {
    let corners = vec![[-0.5_f32, -0.5, 0.0], [0.5, -0.5, 0.0], [0.5, 0.5, 0.0], [-0.5, 0.5, 0.0]];
    let (min, max) = (part.min(), part.max());
    let parts = vec![[min.x, max.y], [max.x, max.y], [max.x, min.y], [min.x, min.y]];
    Mesh::new(PrimitiveTopology::TriangleList, RenderAssetUsages::default())
        .with_inserted_attribute(Mesh::ATTRIBUTE_POSITION, corners)
        .with_inserted_attribute(Mesh::ATTRIBUTE_UV_0, parts)
        .with_inserted_indices(Indices::U32(vec![0, 1, 2, 0, 2, 3]))
}

/// Component of a screen's camera. The first screen's camera carries the operator's overlay.
#[derive(Component, Debug, Clone, Copy)]
pub(crate) struct ScreenCamera {
    /// Entity of the window.
    pub window: Entity,
    /// True for the first screen.
    pub first: bool,
}

fn quad_scale(view: &CanvasRegion, window: WindowSize) -> Vec3 {
    let size = view.fit(window).size;
    Vec3::new(size.width.max(1.0), size.height.max(1.0), 1.0)
}

/// Scales quads so that the whole part is visible whatever the window's shape.
fn fit_quads(
    mut resized: MessageReader<WindowResized>,
    screens: Query<&ScreenWindow>,
    mut panes: Query<(&CanvasQuad, &mut Transform)>,
) {
    for change in resized.read() {
        let Ok(screen) = screens.get(change.window) else { continue };
        for (_, mut transform) in panes.iter_mut().filter(|(pane, _)| pane.0 == change.window) {
            transform.scale = quad_scale(&screen.view, WindowSize::new(change.width, change.height));
        }
    }
}

/// Closes windows on request; closing the last one ends the show.
fn close_windows(
    mut commands: Commands,
    mut requests: MessageReader<WindowCloseRequested>,
    windows: Query<&ScreenWindow>,
    mut screens: ResMut<ScreenWindows>,
    mut gone: ResMut<AllScreensClosed>,
) {
    for request in requests.read() {
        if let Ok(screen) = windows.get(request.window) {
            screens.closed.insert(screen.index);
            commands.entity(request.window).despawn();
        }
    }
    gone.0 = screens.closed.len() == screens.screens.len();
}

/// Despawns cameras and meshes of windows that were closed or disappeared with their monitor.
fn despawn_orphans(
    mut commands: Commands,
    windows: Query<(), With<ScreenWindow>>,
    owned: Query<(Entity, Option<&CanvasQuad>, Option<&ScreenCamera>)>,
) {
    for (entity, pane, camera) in &owned {
        let window = pane.map(|pane| pane.0).or(camera.map(|camera| camera.window));
        if window.is_some_and(|window| windows.get(window).is_err()) {
            commands.entity(entity).despawn();
        }
    }
}

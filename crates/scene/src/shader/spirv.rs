//! Trial run of the last step before the driver: writes the SPIR-V that wgpu will write, with the same options.

use super::catch_panic::catch_panic;
use naga::back::pipeline_constants::process_overrides;
use naga::back::spv::{
    BindingInfo, Capability, Options, PipelineOptions, WriterFlags, ZeroInitializeWorkgroupMemoryMode, write_vec,
};
use naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy};
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use naga::{Arena, Module};

/// Returns the options of wgpu 29's Vulkan backend, with the capabilities that every device has.
fn options(module: &Module) -> Options<'static> {
    let binding = |variable: &naga::GlobalVariable| {
        let place = variable.binding?;
        Some((place, BindingInfo { descriptor_set: place.group, binding: place.binding, binding_array_size: None }))
    };
    let capabilities = [
        Capability::Shader,
        Capability::Matrix,
        Capability::Sampled1D,
        Capability::Image1D,
        Capability::ImageQuery,
        Capability::DerivativeControl,
        Capability::StorageImageExtendedFormats,
    ];
    Options {
        lang_version: (1, 6),
        flags: WriterFlags::LABEL_VARYINGS | WriterFlags::FORCE_POINT_SIZE,
        fake_missing_bindings: false,
        binding_map: module.global_variables.iter().filter_map(|(_, variable)| binding(variable)).collect(),
        capabilities: Some(capabilities.into_iter().collect()),
        bounds_check_policies: BoundsCheckPolicies {
            index: BoundsCheckPolicy::Restrict,
            buffer: BoundsCheckPolicy::Restrict,
            image_load: BoundsCheckPolicy::Restrict,
            binding_array: BoundsCheckPolicy::Unchecked,
        },
        zero_initialize_workgroup_memory: ZeroInitializeWorkgroupMemoryMode::Native,
        force_loop_bounding: true,
        ray_query_initialization_tracking: true,
        use_storage_input_output_16: false,
        debug_info: None,
        task_dispatch_limits: None,
        mesh_shader_primitive_indices_clamp: true,
    }
}

/// Writes each entry point separately, as wgpu does. The error is the writer's message, or its panic.
pub(super) fn check_writable(module: &Module, info: &ModuleInfo) -> Result<(), String> {
    let options = options(module);
    for entry in &module.entry_points {
        let write = || -> Result<(), String> {
            let place = Some((entry.stage, entry.name.as_str()));
            let (module, info) =
                process_overrides(module, info, place, &Default::default()).map_err(|why| why.to_string())?;
            let pipeline = PipelineOptions { shader_stage: entry.stage, entry_point: entry.name.clone() };
            write_vec(&module, &info, &options, Some(&pipeline)).map(drop).map_err(|why| why.to_string())
        };
        catch_panic(write)??;
    }
    Ok(())
}

/// Returns the name of the first function that cannot be written.
pub(super) fn first_unwritable_function(module: &Module) -> Option<String> {
    let functions: Vec<_> = module.functions.iter().map(|(handle, function)| (handle, function.name.clone())).collect();
    // Every prefix that ends before the broken function can be written, and no longer one can.
    let well = |count: usize| {
        let mut part = module.clone();
        part.entry_points.clear();
        part.functions = Arena::new();
        for (handle, function) in module.functions.iter().take(count) {
            part.functions.append(function.clone(), module.functions.get_span(handle));
        }
        let write = || -> Option<()> {
            let info = Validator::new(ValidationFlags::all(), Capabilities::empty()).validate(&part).ok()?;
            write_vec(&part, &info, &options(&part), None).ok().map(drop)
        };
        catch_panic(write).is_ok_and(|written| written.is_some())
    };
    let counts: Vec<usize> = (1..=functions.len()).collect();
    let first = counts.partition_point(|count| well(*count));
    functions.into_iter().nth(first)?.1
}

// Constants and the edges of functions. `main.rs` says how this is read.

//// divide_by_zero: refused
// wgpu #6302: a constant by nothing
fn paint(at: vec2f) -> vec4f { const x = 123 / 0; return vec4f(f32(x)); }

//// divide_by_zero_short: drawn
// wgpu #6302: behind `false &&`
fn paint(at: vec2f) -> vec4f { const x = false && (123 / 0 > 0); return vec4f(select(0.0, 1.0, x)); }

//// divide_min: drawn
// the least number by minus one
fn paint(at: vec2f) -> vec4f { const x = (-2147483647i - 1i) / -1i; return vec4f(f32(x)); }

//// remainder_min: drawn
// the least number modulo minus one
fn paint(at: vec2f) -> vec4f { const x = (-2147483647i - 1i) % -1i; return vec4f(f32(x)); }

//// divide_abstract_min: refused
// the least abstract number by minus one
fn paint(at: vec2f) -> vec4f { const x = (-9223372036854775807 - 1) / -1; return vec4f(f32(x)); }

//// remainder_abstract_min: refused
// the least abstract number modulo minus one
fn paint(at: vec2f) -> vec4f { const x = (-9223372036854775807 - 1) % -1; return vec4f(f32(x)); }

//// abs_min: drawn
// wgpu #7507: abs of the least number
fn paint(at: vec2f) -> vec4f { const x = abs(-9223372036854775807 - 1); const y = abs(-2147483647i - 1i); return vec4f(f32(y)); }

//// negate_min: drawn
// minus the least number
fn paint(at: vec2f) -> vec4f { const x = -(-2147483647i - 1i); const y = -(-9223372036854775807 - 1); return vec4f(f32(x)); }

//// runtime_min: drawn
// the same, not constant
fn paint(at: vec2f) -> vec4f { 
    var least = i32(at.x * 0.0) - 2147483647 - 1;
    let zero = i32(at.x * 0.0);
    let x = least / (zero - 1) + least % (zero - 1) + least / zero + least % zero + abs(least) - (-least);
    let u = u32(x) / u32(zero) + u32(x) % u32(zero);
    return vec4f(f32(x) * 0.0 + f32(u) * 0.0);
}

//// shift_left: refused
// naga #1496: a shift too far
fn paint(at: vec2f) -> vec4f { const x = 1u << 32u; return vec4f(f32(x)); }

//// shift_left_huge: refused
// naga #1496: a shift too far
fn paint(at: vec2f) -> vec4f { const x = 1 << 4294967295u; return vec4f(f32(x)); }

//// shift_left_negative: refused
// naga #1496: a shift too far
fn paint(at: vec2f) -> vec4f { const x = 1 << -1; return vec4f(f32(x)); }

//// shift_right: refused
// naga #1496: a shift too far
fn paint(at: vec2f) -> vec4f { const x = -1i >> 33u; return vec4f(f32(x)); }

//// shift_left_out: refused
// naga #1496: a shift too far
fn paint(at: vec2f) -> vec4f { const x = 1073741824i << 4u; return vec4f(f32(x)); }

//// shift_abstract: refused
// naga #1496: a shift too far
fn paint(at: vec2f) -> vec4f { const x = 1 << 63u; return vec4f(f32(x)); }

//// shift_abstract_out: refused
// naga #1496: a shift too far
fn paint(at: vec2f) -> vec4f { const x = 1 << 64u; return vec4f(f32(x)); }

//// shift_runtime: drawn
// a shift too far, not constant
fn paint(at: vec2f) -> vec4f { let by = u32(at.x) + 4294967290u; let x = (1u << by) + (1u >> by) + u32(-1i >> by); return vec4f(f32(x) * 0.0); }

//// const_overflow_add: drawn
// a constant that cannot be had, or just can
fn paint(at: vec2f) -> vec4f { const x = 2147483647i + 1i; return vec4f(f32(x)); }

//// const_overflow_mul: drawn
// a constant that cannot be had, or just can
fn paint(at: vec2f) -> vec4f { const x = 4294967295u * 4294967295u; return vec4f(f32(x)); }

//// const_overflow_abstract: refused
// a constant that cannot be had, or just can
fn paint(at: vec2f) -> vec4f { const x = 9223372036854775807 + 1; return vec4f(f32(x)); }

//// const_literal_huge: refused
// a constant that cannot be had, or just can
fn paint(at: vec2f) -> vec4f { const x = 99999999999999999999999999; return vec4f(f32(x)); }

//// const_literal_float: refused
// a constant that cannot be had, or just can
fn paint(at: vec2f) -> vec4f { const x = 1e999; return vec4f(f32(x)); }

//// const_literal_hex_float: refused
// a constant that cannot be had, or just can
fn paint(at: vec2f) -> vec4f { const x = 0x1p99999; return vec4f(f32(x)); }

//// const_literal_f32: refused
// a constant that cannot be had, or just can
fn paint(at: vec2f) -> vec4f { const x = f32(1e39); return vec4f(f32(x)); }

//// const_negative_unsigned: refused
// a constant that cannot be had, or just can
fn paint(at: vec2f) -> vec4f { const x = u32(-1); return vec4f(f32(x)); }

//// const_exp: refused
// a constant that cannot be had, or just can
fn paint(at: vec2f) -> vec4f { const x = exp(1000.0); return vec4f(f32(x)); }

//// const_log: refused
// a constant that cannot be had, or just can
fn paint(at: vec2f) -> vec4f { const x = log(-1.0); return vec4f(f32(x)); }

//// const_sqrt: refused
// a constant that cannot be had, or just can
fn paint(at: vec2f) -> vec4f { const x = sqrt(-1.0); return vec4f(f32(x)); }

//// const_inverse_sqrt: refused
// a constant that cannot be had, or just can
fn paint(at: vec2f) -> vec4f { const x = inverseSqrt(0.0); return vec4f(f32(x)); }

//// const_acos: refused
// a constant that cannot be had, or just can
fn paint(at: vec2f) -> vec4f { const x = acos(2.0); return vec4f(f32(x)); }

//// const_acosh: refused
// a constant that cannot be had, or just can
fn paint(at: vec2f) -> vec4f { const x = acosh(0.0); return vec4f(f32(x)); }

//// const_atanh: refused
// a constant that cannot be had, or just can
fn paint(at: vec2f) -> vec4f { const x = atanh(1.0); return vec4f(f32(x)); }

//// const_pow: refused
// a constant that cannot be had, or just can
fn paint(at: vec2f) -> vec4f { const x = pow(-1.0, 0.5); return vec4f(f32(x)); }

//// const_normalize: refused
// a constant that cannot be had, or just can
fn paint(at: vec2f) -> vec4f { const x = normalize(vec3f()).x; return vec4f(f32(x)); }

//// const_smoothstep: refused
// a constant that cannot be had, or just can
fn paint(at: vec2f) -> vec4f { const x = smoothstep(1.0, 1.0, 1.0); return vec4f(f32(x)); }

//// const_clamp: refused
// a constant that cannot be had, or just can
fn paint(at: vec2f) -> vec4f { const x = clamp(1, 3, 2); return vec4f(f32(x)); }

//// const_ldexp: refused
// a constant that cannot be had, or just can
fn paint(at: vec2f) -> vec4f { const x = ldexp(1.0, 2147483647); return vec4f(f32(x)); }

//// const_ldexp_less: refused
// a constant that cannot be had, or just can
fn paint(at: vec2f) -> vec4f { const x = ldexp(1.0, -2147483647); return vec4f(f32(x)); }

//// const_extract: refused
// a constant that cannot be had, or just can
fn paint(at: vec2f) -> vec4f { const x = extractBits(1u, 31u, 31u); return vec4f(f32(x)); }

//// const_insert: refused
// a constant that cannot be had, or just can
fn paint(at: vec2f) -> vec4f { const x = insertBits(1u, 1u, 40u, 40u); return vec4f(f32(x)); }

//// const_first_bit: drawn
// a constant that cannot be had, or just can
fn paint(at: vec2f) -> vec4f { const x = firstLeadingBit(0u); return vec4f(f32(x)); }

//// const_trailing: drawn
// a constant that cannot be had, or just can
fn paint(at: vec2f) -> vec4f { const x = countTrailingZeros(0); return vec4f(f32(x)); }

//// const_round: drawn
// a constant that cannot be had, or just can
fn paint(at: vec2f) -> vec4f { const x = round(1e30); return vec4f(f32(x)); }

//// const_cross: drawn
// a constant that cannot be had, or just can
fn paint(at: vec2f) -> vec4f { const x = cross(vec3(1), vec3(2)).x; return vec4f(f32(x)); }

//// const_dot_big: refused
// a constant that cannot be had, or just can
fn paint(at: vec2f) -> vec4f { const x = dot(vec3(9223372036854775807), vec3(9223372036854775807)); return vec4f(f32(x)); }

//// const_distance: refused
// a constant that cannot be had, or just can
fn paint(at: vec2f) -> vec4f { const x = distance(vec2f(3e38), vec2f(-3e38)); return vec4f(f32(x)); }

//// const_quantize: refused
// a constant that cannot be had, or just can
fn paint(at: vec2f) -> vec4f { const x = quantizeToF16(1e9); return vec4f(f32(x)); }

//// const_unpack: refused
// a constant that cannot be had, or just can
fn paint(at: vec2f) -> vec4f { const x = unpack2x16float(0x7c007c00u).x; return vec4f(f32(x)); }

//// const_pack: refused
// a constant that cannot be had, or just can
fn paint(at: vec2f) -> vec4f { const x = pack4x8snorm(vec4f(1e38)); return vec4f(f32(x)); }

//// const_dot4: drawn
// a constant that cannot be had, or just can
fn paint(at: vec2f) -> vec4f { const x = dot4U8Packed(0xffffffffu, 0xffffffffu); return vec4f(f32(x)); }

//// const_reverse: drawn
// a constant that cannot be had, or just can
fn paint(at: vec2f) -> vec4f { const x = reverseBits(-1); return vec4f(f32(x)); }

//// const_nan: refused
// a constant that cannot be had, or just can
fn paint(at: vec2f) -> vec4f { const x = bitcast<f32>(0x7fc00000u); return vec4f(f32(x)); }

//// const_infinity: refused
// a constant that cannot be had, or just can
fn paint(at: vec2f) -> vec4f { const x = bitcast<f32>(0x7f800000u); return vec4f(f32(x)); }

//// const_frexp: refused
// a constant that cannot be had, or just can
fn paint(at: vec2f) -> vec4f { const x = frexp(0.0).fract; return vec4f(f32(x)); }

//// const_modf: refused
// a constant that cannot be had, or just can
fn paint(at: vec2f) -> vec4f { const x = modf(-1.5).whole; return vec4f(f32(x)); }

//// const_refract: refused
// a constant that cannot be had, or just can
fn paint(at: vec2f) -> vec4f { const x = refract(vec2f(1.0), vec2f(), 0.0).x; return vec4f(f32(x)); }

//// const_determinant: refused
// a constant that cannot be had, or just can
fn paint(at: vec2f) -> vec4f { const x = determinant(mat4x4f()); return vec4f(f32(x)); }

//// const_transpose: refused
// a constant that cannot be had, or just can
fn paint(at: vec2f) -> vec4f { const x = transpose(mat2x3f())[0].x; return vec4f(f32(x)); }

//// const_faceforward: refused
// a constant that cannot be had, or just can
fn paint(at: vec2f) -> vec4f { const x = faceForward(vec2f(), vec2f(), vec2f()).x; return vec4f(f32(x)); }

//// const_mix: refused
// a constant that cannot be had, or just can
fn paint(at: vec2f) -> vec4f { const x = mix(vec2f(3e38), vec2f(-3e38), 2.0).x; return vec4f(f32(x)); }

//// const_vector_index: refused
// a constant that cannot be had, or just can
fn paint(at: vec2f) -> vec4f { const x = vec3(1, 2, 3)[3]; return vec4f(f32(x)); }

//// const_vector_index_negative: refused
// a constant that cannot be had, or just can
fn paint(at: vec2f) -> vec4f { const x = vec3(1, 2, 3)[-1]; return vec4f(f32(x)); }

//// const_array_index: refused
// a constant that cannot be had, or just can
fn paint(at: vec2f) -> vec4f { const x = array(1, 2)[4294967295]; return vec4f(f32(x)); }

//// const_matrix_index: refused
// a constant that cannot be had, or just can
fn paint(at: vec2f) -> vec4f { const x = mat2x2f()[2].x; return vec4f(f32(x)); }

//// const_swizzle: refused
// a constant that cannot be had, or just can
fn paint(at: vec2f) -> vec4f { const x = vec2(1, 2).xyzw.x; return vec4f(f32(x)); }

//// const_bool_arithmetic: refused
// a constant that cannot be had, or just can
fn paint(at: vec2f) -> vec4f { const x = true + true; return vec4f(f32(x)); }

//// const_vector_mix: refused
// a constant that cannot be had, or just can
fn paint(at: vec2f) -> vec4f { const x = vec2(1) + vec3(1); return vec4f(f32(x)); }

//// const_matrix_vector: refused
// a constant that cannot be had, or just can
fn paint(at: vec2f) -> vec4f { const x = (mat2x3f() * vec3f()).x; return vec4f(f32(x)); }

//// const_matrix_matrix: refused
// a constant that cannot be had, or just can
fn paint(at: vec2f) -> vec4f { const x = (mat2x3f() * mat2x3f())[0].x; return vec4f(f32(x)); }

//// const_matrix_product: drawn
// wgpu #8790: a product of constants
fn paint(at: vec2f) -> vec4f { const x = (vec3f(9, 8, 7) * mat2x3f(1, 2, 3, 4, 5, 6)).x; return vec4f(f32(x)); }

//// const_modulo_float: refused
// a constant that cannot be had, or just can
fn paint(at: vec2f) -> vec4f { const x = 5.5 % 0.0; return vec4f(f32(x)); }

//// const_select_types: drawn
// a constant that cannot be had, or just can
fn paint(at: vec2f) -> vec4f { const x = select(1, 2.0, true); return vec4f(f32(x)); }

//// const_bitcast_size: refused
// a constant that cannot be had, or just can
fn paint(at: vec2f) -> vec4f { const x = bitcast<vec2f>(1u).x; return vec4f(f32(x)); }

//// const_bitcast_matrix: refused
// naga #2568: an index out of bounds
fn paint(at: vec2f) -> vec4f { const x = bitcast<mat3x4f>(0.0)[0].x; return vec4f(f32(x)); }

//// const_min_types: refused
// a constant that cannot be had, or just can
fn paint(at: vec2f) -> vec4f { const x = min(1u, -1); return vec4f(f32(x)); }

//// const_sign_abstract: drawn
// a constant that cannot be had, or just can
fn paint(at: vec2f) -> vec4f { const x = sign(-9223372036854775807); return vec4f(f32(x)); }

//// runtime_functions: drawn
// the edges of functions, not constant
fn paint(at: vec2f) -> vec4f { 
    let z = at.x * 0.0;
    let i = i32(z);
    let u = u32(z);
    var sum = ldexp(1.0 + z, 2147483647) + ldexp(1.0, i - 2147483647) + frexp(z).fract + f32(frexp(1e38 + z).exp) + modf(z - 1.5).whole;
    sum += f32(extractBits(u, 31u + u, 31u) + insertBits(u, u, 40u + u, 40u) + firstLeadingBit(u) + firstTrailingBit(u) + countLeadingZeros(u));
    sum += normalize(vec3f(z)).x + smoothstep(z, z, z) + acos(2.0 + z) + log(z) + pow(z - 1.0, 0.5) + inverseSqrt(z) + atanh(1.0 + z) + 1.0 / z + 5.0 % z;
    sum += f32(pack4x8snorm(vec4f(z + 1e38)) + dot4U8Packed(u + 0xffffffffu, 0xffffffffu));
    sum += bitcast<f32>(u + 0x7fc00000u) + f32(i32(1e30 + z)) + f32(u32(z - 1e30)) + f32(u32(bitcast<f32>(u + 0x7fc00000u)));
    sum += determinant(mat4x4f() * z) + refract(vec2f(z), vec2f(z), z).x + f32(dot(vec3i(i + 2147483647), vec3i(i + 2147483647)));
    return vec4f(clamp(sum, 0.0, 1.0));
}

//// f16_packed: refused
// halves, packed
fn paint(at: vec2f) -> vec4f { return vec4f(unpack2x16float(u32(at.x) + 0x7c007c00u), quantizeToF16(1e9 + at.x), 1.0); }

//// f16: refused
// wgpu #9499: a panic of the evaluator
enable f16;
const x: f16 = f16(65520i); const y: i32 = i32(x);
fn paint(at: vec2f) -> vec4f { return vec4f(f32(y)); }

//// f16_plain: refused
// without being enabled
fn paint(at: vec2f) -> vec4f { const x = f16(65520i); return vec4f(f32(x)); }

//// f64: refused
// not of WGSL
fn paint(at: vec2f) -> vec4f { const x = f64(1.0); let y = 1.0lf; return vec4f(1.0); }

//// i64: refused
// not of WGSL
fn paint(at: vec2f) -> vec4f { const x = i64(9223372036854775807); let y = x * 2li; return vec4f(f32(y)); }

//// const_assert: refused
// a claim that is wrong
const_assert 1 > 2;
fn paint(at: vec2f) -> vec4f { return vec4f(1.0); }

//// const_mixed: drawn
// wgpu #6232: numbers of one kind and another
const one = 1;
const_assert one == 1.0;
fn paint(at: vec2f) -> vec4f { return vec4f(f32(one)); }

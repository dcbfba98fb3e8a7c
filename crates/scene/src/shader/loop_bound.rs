//! Bounds every loop and call in an artist's WGSL: a GPU that never finishes freezes the screen.

use naga::{
    AddressSpace, Arena, BinaryOperator, Block, Expression, Function, GlobalVariable, Handle, Literal, Module, Scalar,
    Span, Statement, Type, TypeInner,
};
use std::collections::HashMap;

/// Maximum iterations of all loops together for one pixel; beyond it, each loop ends at once. A long iteration counts
/// as several.
pub(super) const ITERATIONS_MAX: u32 = 20_000;
/// Steps that count as one iteration.
const STEPS_PER_ITERATION: u64 = 32;
/// Maximum steps of a pixel with one iteration of each loop, including called functions.
const STEPS_MAX: u64 = 50_000;

/// Bounds every loop; returns false if there are none. The error is for the artist.
pub(super) fn bound_loops(module: &mut Module) -> Result<bool, String> {
    let steps = largest_function(module);
    if steps > STEPS_MAX {
        return Err(format!(
            "takes {steps} steps for each pixel, and its loops more; {STEPS_MAX} are allowed: call fewer functions"
        ));
    }
    let has_loops = |function: &Function| has_loops(&function.body);
    if !module.functions.iter().any(|(_, function)| has_loops(function)) {
        return Ok(false);
    }
    let turns = add_counter(module);
    // A function comes after the functions that it calls.
    let mut known = FunctionCosts::new();
    for (handle, function) in module.functions.iter_mut() {
        known.insert(handle, block_cost(&function.body, &known));
        let mut body = std::mem::take(&mut function.body);
        bound_block(&mut body, &mut function.expressions, (turns, &known));
        function.body = body;
    }
    Ok(true)
}

/// Per-pixel variable that counts iterations.
fn add_counter(module: &mut Module) -> Handle<GlobalVariable> {
    let ty = module.types.insert(Type { name: None, inner: TypeInner::Scalar(Scalar::U32) }, Span::UNDEFINED);
    let init = module.global_expressions.append(Expression::Literal(Literal::U32(0)), Span::UNDEFINED);
    let counter = GlobalVariable {
        name: Some("moongate_turns".into()),
        space: AddressSpace::Private,
        binding: None,
        ty,
        init: Some(init),
        memory_decorations: naga::MemoryDecorations::empty(),
    };
    module.global_variables.append(counter, Span::UNDEFINED)
}

/// Returns the blocks inside a statement.
pub(super) fn nested_blocks(statement: &Statement) -> Vec<&Block> {
    match statement {
        Statement::Block(block) => vec![block],
        Statement::If { accept, reject, .. } => vec![accept, reject],
        Statement::Switch { cases, .. } => cases.iter().map(|case| &case.body).collect(),
        Statement::Loop { body, continuing, .. } => vec![body, continuing],
        _ => vec![],
    }
}

fn has_loops(block: &Block) -> bool {
    block.iter().any(|statement| {
        matches!(statement, Statement::Loop { .. }) || nested_blocks(statement).into_iter().any(has_loops)
    })
}

/// Cost of functions, as [`block_cost`] computes it.
type FunctionCosts = HashMap<Handle<Function>, u64>;

/// Returns the steps of a block with its calls. Its loops count their own steps in each iteration.
fn block_cost(block: &Block, known: &FunctionCosts) -> u64 {
    let of = |statement: &Statement| match statement {
        Statement::Emit(range) => range.clone().count() as u64,
        Statement::Call { function, .. } => known.get(function).copied().unwrap_or(0).saturating_add(1),
        Statement::Loop { .. } => 1,
        other => {
            nested_blocks(other).into_iter().fold(1, |sum: u64, block| sum.saturating_add(block_cost(block, known)))
        }
    };
    block.iter().fold(0, |sum: u64, statement| sum.saturating_add(of(statement)))
}

/// Inserts the count and the exit at the beginning of each loop.
fn bound_block(
    block: &mut Block,
    expressions: &mut Arena<Expression>,
    (turns, known): (Handle<GlobalVariable>, &FunctionCosts),
) {
    for statement in block.iter_mut() {
        match statement {
            Statement::Block(block) => bound_block(block, expressions, (turns, known)),
            Statement::If { accept, reject, .. } => {
                bound_block(accept, expressions, (turns, known));
                bound_block(reject, expressions, (turns, known));
            }
            Statement::Switch { cases, .. } => {
                cases.iter_mut().for_each(|case| bound_block(&mut case.body, expressions, (turns, known)));
            }
            Statement::Loop { body, continuing, .. } => {
                let steps = block_cost(body, known).saturating_add(block_cost(continuing, known));
                let weight = steps.div_ceil(STEPS_PER_ITERATION).clamp(1, u64::from(ITERATIONS_MAX)) as u32;
                bound_block(body, expressions, (turns, known));
                bound_block(continuing, expressions, (turns, known));
                let mut counted = counter_check(expressions, turns, weight);
                counted.append(body);
                *body = counted;
            }
            _ => {}
        }
    }
}

/// Appends `if turns >= TURNS_MAX { break; } turns += weight;`.
fn counter_check(expressions: &mut Arena<Expression>, turns: Handle<GlobalVariable>, weight: u32) -> Block {
    let mut add = |expression| expressions.append(expression, Span::UNDEFINED);
    let pointer = add(Expression::GlobalVariable(turns));
    let [most, weight] = [ITERATIONS_MAX, weight].map(|number| add(Expression::Literal(Literal::U32(number))));
    let left = add(Expression::Load { pointer });
    let over = add(Expression::Binary { op: BinaryOperator::GreaterEqual, left, right: most });
    let next = add(Expression::Binary { op: BinaryOperator::Add, left, right: weight });
    let way_out =
        Statement::If { condition: over, accept: Block::from_vec(vec![Statement::Break]), reject: Block::new() };
    Block::from_vec(vec![
        Statement::Emit(naga::Range::new_from_bounds(left, next)),
        way_out,
        Statement::Store { pointer, value: next },
    ])
}

/// Returns the steps of the largest function with its calls, with one iteration of each loop.
fn largest_function(module: &Module) -> u64 {
    // A function comes after the functions that it calls.
    let mut known = HashMap::new();
    let mut most = 0;
    for (handle, function) in module.functions.iter() {
        let steps = function.expressions.len() as u64;
        let steps = called_functions(&function.body)
            .into_iter()
            .fold(steps, |steps, called| steps.saturating_add(known.get(&called).copied().unwrap_or(0)));
        known.insert(handle, steps);
        most = most.max(steps);
    }
    most
}

/// Returns the functions that a block calls, once per call.
pub(super) fn called_functions(block: &Block) -> Vec<Handle<Function>> {
    let of = |statement: &Statement| {
        let mut called: Vec<_> = nested_blocks(statement).into_iter().flat_map(called_functions).collect();
        if let Statement::Call { function, .. } = statement {
            called.push(*function);
        }
        called
    };
    block.iter().flat_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use naga::back::wgsl::{WriterFlags, write_string};
    use naga::valid::{Capabilities, ValidationFlags, Validator};

    fn bounded(mut module: Module) -> Result<Option<String>, String> {
        if !bound_loops(&mut module)? {
            return Ok(None);
        }
        let info =
            Validator::new(ValidationFlags::all(), Capabilities::empty()).validate(&module).expect("it is valid");
        Ok(Some(write_string(&module, &info, WriterFlags::empty()).expect("it can be written")))
    }

    fn module(source: &str) -> Module {
        naga::front::wgsl::parse_str(source).unwrap_or_else(|why| panic!("{}", why.emit_to_string(source)))
    }

    #[test]
    fn every_loop_has_a_way_out() {
        let source = "fn deep(n: u32) -> f32 {
            var sum = 0.0;
            for (var i = 0u; i < n; i++) { loop { sum += 1.0; if sum > 4.0 { continue; } } }
            loop { continuing { loop { if sum < -1.0 { break; } } break if true; } }
            return sum;
        }
        fn paint(at: vec2f) -> vec4f {
            var x = at.x;
            while true { switch u32(x) { case 1u: { loop { x += 1.0; } } default: { x *= deep(7u); } } }
            return vec4f(x);
        }";
        let bounded = bounded(module(source)).expect("it can be").expect("it has loops");
        assert_eq!(bounded.matches(">= 20000u").count(), 6, "{bounded}");
        assert_eq!(bounded.matches("moongate_turns").count(), 1 + 2 * 6, "{bounded}");
        // The result is valid WGSL.
        module(&bounded);
    }

    #[test]
    fn a_long_turn_counts_as_several() {
        let source = format!(
            "fn heavy(x: f32) -> f32 {{ return {}x; }}
            fn paint(at: vec2f) -> vec4f {{
                var x = at.x;
                loop {{ x = heavy(x); if x > 1.0 {{ break; }} }}
                loop {{ x += 1.0; if x > 9.0 {{ break; }} }}
                return vec4f(x);
            }}",
            "x * x + ".repeat(100)
        );
        let bounded = bounded(module(&source)).expect("it can be").expect("it has loops");
        let weights: Vec<u32> = bounded
            .match_indices("moongate_turns = (")
            .filter_map(|(at, _)| bounded[at..].split_once("+ ")?.1.split_once('u')?.0.parse().ok())
            .collect();
        assert!(matches!(weights[..], [5..=12, 1]), "{weights:?} {bounded}");
    }

    #[test]
    fn what_has_no_loops_stays_as_it_is() {
        assert_eq!(bounded(module("fn paint(at: vec2f) -> vec4f { return vec4f(at, 0.0, 1.0); }")), Ok(None));
    }

    #[test]
    fn calls_that_multiply_are_refused() {
        let mut source = String::from("fn g0(x: f32) -> f32 { return x * 1.5; }\n");
        for i in 1..40 {
            source += &format!("fn g{i}(x: f32) -> f32 {{ return g{0}(x) + g{0}(x + 1.0); }}\n", i - 1);
        }
        let why = bounded(module(&source)).expect_err("it is 2^39 calls");
        assert!(why.contains("call fewer functions"), "{why}");
    }
}

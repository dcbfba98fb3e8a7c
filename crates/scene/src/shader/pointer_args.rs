//! Copies parts of variables that are passed to functions by pointer: naga cannot write such pointers as SPIR-V.
//!
//! `f(&ray.at)` becomes `copy = ray.at; f(&copy); ray.at = copy;`. WGSL forbids aliasing: a function cannot reach one
//! part through two pointers, so the result is the same.

use naga::{
    AddressSpace, Arena, Block, Expression, Function, GlobalVariable, Handle, LocalVariable, Module, Span, Statement,
    Type, TypeInner,
};
use std::collections::HashMap;

/// Types that a function's pointers point to, in the order of its arguments; none for an argument by value.
type PointerArgs = Vec<Option<(Handle<Type>, AddressSpace)>>;

/// Copies inside one function, keyed by the type and the number of the argument.
type CopyVariables = HashMap<(Handle<Type>, AddressSpace, usize), Handle<Expression>>;

/// Copies all such parts; returns true if there were any.
pub(super) fn copy_pointer_args(module: &mut Module) -> bool {
    let mut pointed = HashMap::new();
    let handles: Vec<Handle<Function>> = module.functions.iter().map(|(handle, _)| handle).collect();
    for handle in &handles {
        let arguments: Vec<Handle<Type>> = module.functions[*handle].arguments.iter().map(|a| a.ty).collect();
        let of: PointerArgs = arguments.into_iter().map(|ty| pointee(module, ty)).collect();
        pointed.insert(*handle, of);
    }
    let mut any = false;
    for handle in handles {
        let function = &mut module.functions[handle];
        let body = std::mem::take(&mut function.body);
        let mut copier = PointerArgCopier {
            function,
            globals: &mut module.global_variables,
            pointed: &pointed,
            copies: CopyVariables::new(),
        };
        let body = copier.rewrite_block(body);
        any |= !copier.copies.is_empty();
        module.functions[handle].body = body;
    }
    any
}

fn pointee(module: &mut Module, ty: Handle<Type>) -> Option<(Handle<Type>, AddressSpace)> {
    match module.types[ty].inner {
        TypeInner::Pointer { base, space } => Some((base, space)),
        TypeInner::ValuePointer { size, scalar, space } => {
            let inner = size.map_or(TypeInner::Scalar(scalar), |size| TypeInner::Vector { size, scalar });
            Some((module.types.insert(Type { name: None, inner }, Span::UNDEFINED), space))
        }
        _ => None,
    }
}

struct PointerArgCopier<'a> {
    function: &'a mut Function,
    globals: &'a mut Arena<GlobalVariable>,
    pointed: &'a HashMap<Handle<Function>, PointerArgs>,
    copies: CopyVariables,
}

impl PointerArgCopier<'_> {
    fn rewrite_block(&mut self, block: Block) -> Block {
        let mut out = Block::with_capacity(block.len());
        for (statement, span) in block.span_into_iter() {
            let statement = match statement {
                Statement::Block(inner) => Statement::Block(self.rewrite_block(inner)),
                Statement::If { condition, accept, reject } => {
                    Statement::If { condition, accept: self.rewrite_block(accept), reject: self.rewrite_block(reject) }
                }
                Statement::Switch { selector, mut cases } => {
                    for case in &mut cases {
                        case.body = self.rewrite_block(std::mem::take(&mut case.body));
                    }
                    Statement::Switch { selector, cases }
                }
                Statement::Loop { body, continuing, break_if } => Statement::Loop {
                    body: self.rewrite_block(body),
                    continuing: self.rewrite_block(continuing),
                    break_if,
                },
                Statement::Call { function, arguments, result } => {
                    self.rewrite_call((function, arguments, result), span, &mut out);
                    continue;
                }
                other => other,
            };
            out.push(statement, span);
        }
        out
    }

    fn rewrite_call(
        &mut self,
        (callee, mut arguments, result): (Handle<Function>, Vec<Handle<Expression>>, Option<Handle<Expression>>),
        span: Span,
        out: &mut Block,
    ) {
        let pointed = self.pointed.get(&callee).cloned().unwrap_or_default();
        let mut back = Vec::new();
        for (index, (argument, pointed)) in arguments.iter_mut().zip(pointed).enumerate() {
            let part = matches!(
                self.function.expressions[*argument],
                Expression::Access { .. } | Expression::AccessIndex { .. }
            );
            let Some((ty, space)) = pointed.filter(|_| part) else { continue };
            let (part, copy) = (*argument, self.copy_variable((ty, space, index)));
            self.assign(copy, part, span, out);
            *argument = copy;
            back.push((part, copy));
        }
        out.push(Statement::Call { function: callee, arguments, result }, span);
        for (part, copy) in back {
            self.assign(part, copy, span, out);
        }
    }

    /// Appends `*to = *from`.
    fn assign(&mut self, to: Handle<Expression>, from: Handle<Expression>, span: Span, out: &mut Block) {
        let value = self.function.expressions.append(Expression::Load { pointer: from }, span);
        out.push(Statement::Emit(naga::Range::new_from_bounds(value, value)), span);
        out.push(Statement::Store { pointer: to, value }, span);
    }

    /// Returns a variable local to this function: a callee may need a copy of the same type at the same time.
    fn copy_variable(&mut self, key: (Handle<Type>, AddressSpace, usize)) -> Handle<Expression> {
        if let Some(known) = self.copies.get(&key) {
            return *known;
        }
        let (ty, space, _) = key;
        let name = Some("moongate_copy".to_owned());
        let expression = if space == AddressSpace::Private {
            let memory_decorations = naga::MemoryDecorations::empty();
            let variable = GlobalVariable { name, space, binding: None, ty, init: None, memory_decorations };
            Expression::GlobalVariable(self.globals.append(variable, Span::UNDEFINED))
        } else {
            let variable = LocalVariable { name, ty, init: None };
            Expression::LocalVariable(self.function.local_variables.append(variable, Span::UNDEFINED))
        };
        let handle = self.function.expressions.append(expression, Span::UNDEFINED);
        self.copies.insert(key, handle);
        handle
    }
}

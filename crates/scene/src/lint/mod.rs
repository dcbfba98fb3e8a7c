//! Static check of a script against the `moongate` API: undefined names, unknown members, missing arguments.

mod api_types;
pub(super) mod hints;

use crate::diagnostic::{SceneDiagnostic, line_and_column};
use api_types::{ApiTypes, Ty};
use hints::suggest_fix;
use moongate_core::config::closest_match;
use oxc_allocator::Allocator;
use oxc_ast::ast::{
    Argument, ArrayExpression, ArrayExpressionElement, BindingPattern, CallExpression, ComputedMemberExpression,
    Declaration, ExportDeclaration, Expression, ForOfStatement, ForStatementLeft, FormalParameters,
    IdentifierReference, ImportDeclaration, ImportDeclarationSpecifier, SimpleAssignmentTarget, StaticMemberExpression,
    UnaryExpression, UnaryOperator, VariableDeclarationKind, VariableDeclarator,
};
use oxc_ast_visit::{Visit, walk};
use oxc_parser::Parser;
use oxc_semantic::{Scoping, SemanticBuilder, SymbolId};
use oxc_span::{GetSpan, SourceType, Span};
use std::collections::{HashMap, HashSet};

/// Globals of the language, and the engine's log.
const GLOBALS: &str = "\
AggregateError Array ArrayBuffer AsyncDisposableStack Atomics BigInt BigInt64Array BigUint64Array Boolean \
console DataView decodeURI decodeURIComponent DisposableStack encodeURI encodeURIComponent Error escape \
EvalError FinalizationRegistry Float16Array Float32Array Float64Array Function globalThis Infinity \
Int16Array Int32Array Int8Array InternalError isFinite isNaN Iterator JSON Map Math NaN Number Object \
parseFloat parseInt Promise queueMicrotask RangeError ReferenceError Reflect RegExp Set \
SharedArrayBuffer String SuppressedError Symbol SyntaxError TypeError Uint16Array Uint32Array Uint8Array \
Uint8ClampedArray undefined unescape URIError WeakMap WeakRef WeakSet";

/// Types of the first argument of each handler.
const HANDLER_PARAMS: [(&str, &str); 14] = [
    ("frame", "Frame"),
    ("down", "Touch"),
    ("move", "Touch"),
    ("up", "Touch"),
    ("downThere", "Touch"),
    ("moveThere", "Touch"),
    ("upThere", "Touch"),
    ("appear", "Body"),
    ("still", "Body"),
    ("leave", "Body"),
    ("appearThere", "Body"),
    ("stillThere", "Body"),
    ("leaveThere", "Body"),
    ("meet", "Place"),
];

/// Array methods that pass one element to their callback.
const ITERATION_METHODS: [&str; 11] =
    ["forEach", "map", "filter", "find", "findLast", "findIndex", "some", "every", "flatMap", "sort", "toSorted"];
/// Maximum number of reported mistakes.
const DIAGNOSTICS_MAX: usize = 20;
/// Maximum length of a checked script, in bytes, and the stack that a script nested as deep as its length takes.
const SCRIPT_MAX: usize = 256 << 10;
pub(super) const STACK_BYTES: usize = 1 << 30;

/// Returns the undefined names and members of a script, in the order of its lines. `ours` and `dials` are the names
/// that the manifest declares.
///
/// Returns nothing for a script that cannot be parsed or exceeds 256 KiB: running it reports the error. The recursion
/// is as deep as the script's nesting, so call it with a stack of `STACK_BYTES`.
pub fn lint_script(file: &str, text: &str, ours: &[&str], dials: &[&str]) -> Vec<SceneDiagnostic> {
    if text.len() > SCRIPT_MAX {
        return Vec::new();
    }
    let types = ApiTypes::new(ours, dials);
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, text, SourceType::mjs()).parse();
    if !parsed.diagnostics.is_empty() {
        return Vec::new();
    }
    let semantic = SemanticBuilder::new().build(&parsed.program).semantic;
    let mut reader = Linter {
        types: &types,
        scoping: semantic.scoping(),
        variable_types: HashMap::new(),
        expression_types: HashMap::new(),
        assigned: HashSet::new(),
        findings: Vec::new(),
        text,
        exports: types.exports().collect(),
    };
    let mut assigned = AssignedMembers { members: HashSet::new() };
    assigned.visit_program(&parsed.program);
    reader.assigned = assigned.members;
    reader.visit_program(&parsed.program);
    let mut found = reader.findings;
    found.sort_by_key(|(span, ..)| span.start);
    let fault = |(span, problem, remedy): (Span, String, String)| {
        SceneDiagnostic::new(file, problem, remedy)
            .with_location(Some(line_and_column(text, span.start as usize)), text)
    };
    found.into_iter().map(fault).collect()
}

fn source_line(text: &str, span: Span) -> &str {
    text.lines().nth(line_and_column(text, span.start as usize).0 as usize - 1).unwrap_or_default()
}

/// Members that a script assigns to any object: the check accepts these names on every object.
struct AssignedMembers {
    members: HashSet<String>,
}

impl<'a> Visit<'a> for AssignedMembers {
    fn visit_simple_assignment_target(&mut self, target: &SimpleAssignmentTarget<'a>) {
        if let SimpleAssignmentTarget::StaticMemberExpression(member) = target {
            self.members.insert(member.property.name.to_string());
        }
        walk::walk_simple_assignment_target(self, target);
    }
}

/// Visits a script in source order and tracks the types of its variables.
struct Linter<'t> {
    types: &'t ApiTypes,
    scoping: &'t Scoping,
    variable_types: HashMap<SymbolId, Ty>,
    /// Types of member expressions and calls that were already visited.
    expression_types: HashMap<Span, Ty>,
    assigned: HashSet<String>,
    findings: Vec<(Span, String, String)>,
    text: &'t str,
    exports: Vec<&'t str>,
}

impl Linter<'_> {
    fn bind(&mut self, pattern: &BindingPattern, ty: Ty) {
        if let BindingPattern::BindingIdentifier(name) = pattern
            && let Some(symbol) = name.symbol_id.get()
        {
            self.variable_types.insert(symbol, ty);
        }
    }

    fn bind_first_param(&mut self, parameters: &FormalParameters, ty: Ty) {
        if let Some(first) = parameters.items.first() {
            self.bind(&first.pattern, ty);
        }
    }

    /// Returns the type of a value.
    fn type_of(&self, value: &Expression) -> Ty {
        match value {
            Expression::Identifier(name) => {
                let symbol = name.reference_id.get().and_then(|id| self.scoping.get_reference(id).symbol_id());
                symbol.and_then(|symbol| self.variable_types.get(&symbol)).cloned().unwrap_or(Ty::Any)
            }
            // Nested expressions were visited before: none is visited twice.
            value => self.expression_types.get(&value.span()).cloned().unwrap_or(Ty::Any),
        }
    }

    fn record_type(&mut self, span: Span, ty: Ty) {
        if ty != Ty::Any {
            self.expression_types.insert(span, ty);
        }
    }

    fn report(&mut self, span: Span, told: impl FnOnce(&Self) -> (String, String)) {
        if self.findings.len() < DIAGNOSTICS_MAX {
            let (problem, remedy) = told(self);
            self.findings.push((span, problem, remedy));
        }
    }

    fn text_of(&self, span: Span) -> &str {
        &self.text[span.start as usize..span.end as usize]
    }

    /// Returns the result type of a call.
    fn call_result(&self, call: &CallExpression) -> Ty {
        if let Expression::StaticMemberExpression(member) = &call.callee
            && let list @ Ty::Array(_) = self.type_of(&member.object)
        {
            return match (member.property.name.as_str(), list) {
                ("filter" | "slice" | "toSorted" | "toReversed" | "concat", list) => list,
                ("find" | "findLast" | "at", Ty::Array(of)) => *of,
                _ => Ty::Any,
            };
        }
        match self.type_of(&call.callee) {
            Ty::Function { returns: gives, .. } => *gives,
            _ => Ty::Any,
        }
    }
}

impl<'a> Visit<'a> for Linter<'_> {
    fn visit_import_declaration(&mut self, import: &ImportDeclaration<'a>) {
        for specifier in import.specifiers.iter().flatten() {
            let (local, ty) = match specifier {
                ImportDeclarationSpecifier::ImportSpecifier(name) => {
                    (&name.local, self.types.export_type(name.imported.name().as_str()))
                }
                ImportDeclarationSpecifier::ImportNamespaceSpecifier(name) => (&name.local, self.types.module_type()),
                ImportDeclarationSpecifier::ImportDefaultSpecifier(_) => continue,
            };
            if let Some(symbol) = local.symbol_id.get() {
                self.variable_types.insert(symbol, ty);
            }
        }
    }

    fn visit_export_declaration(&mut self, export: &ExportDeclaration<'a>) {
        if let Declaration::FunctionDeclaration(function) = &export.declaration
            && let Some(name) = &function.id
            && let Some((_, of)) = HANDLER_PARAMS.iter().find(|(handler, _)| *handler == name.name.as_str())
        {
            self.bind_first_param(&function.params, self.types.interface(of));
        }
        walk::walk_export_declaration(self, export);
    }

    fn visit_identifier_reference(&mut self, name: &IdentifierReference<'a>) {
        let symbol = name.reference_id.get().and_then(|id| self.scoping.get_reference(id).symbol_id());
        if symbol.is_none() && !GLOBALS.split(' ').any(|global| global == name.name.as_str()) {
            self.report(name.span, |reader| {
                let problem = format!("{} is not defined", name.name);
                let remedy = suggest_fix(&problem, source_line(reader.text, name.span), &reader.exports);
                (problem, remedy)
            });
        }
    }

    fn visit_unary_expression(&mut self, unary: &UnaryExpression<'a>) {
        // `typeof name` tests whether the name exists.
        let asks = unary.operator == UnaryOperator::Typeof && matches!(unary.argument, Expression::Identifier(_));
        if !asks {
            walk::walk_unary_expression(self, unary);
        }
    }

    fn visit_variable_declarator(&mut self, declared: &VariableDeclarator<'a>) {
        walk::walk_variable_declarator(self, declared);
        if let BindingPattern::BindingIdentifier(name) = &declared.id
            && let (Some(symbol), Some(value)) = (name.symbol_id.get(), &declared.init)
            && !self.scoping.symbol_is_mutated(symbol)
        {
            let ty = self.type_of(value);
            self.variable_types.insert(symbol, ty);
        }
    }

    fn visit_for_of_statement(&mut self, each: &ForOfStatement<'a>) {
        self.visit_expression(&each.right);
        if let ForStatementLeft::VariableDeclaration(declared) = &each.left
            && declared.kind == VariableDeclarationKind::Const
            && let Some(first) = declared.declarations.first()
            && let Ty::Array(of) = self.type_of(&each.right)
        {
            self.bind(&first.id, *of);
        }
        self.visit_for_statement_left(&each.left);
        self.visit_statement(&each.body);
    }

    fn visit_call_expression(&mut self, call: &CallExpression<'a>) {
        self.visit_expression(&call.callee);
        if let Expression::StaticMemberExpression(member) = &call.callee
            && ITERATION_METHODS.contains(&member.property.name.as_str())
            && let Ty::Array(of) = self.type_of(&member.object)
        {
            match call.arguments.first() {
                Some(Argument::ArrowFunctionExpression(function)) => self.bind_first_param(&function.params, *of),
                Some(Argument::FunctionExpression(function)) => self.bind_first_param(&function.params, *of),
                _ => {}
            }
        }
        self.visit_arguments(&call.arguments);
        if let Ty::Function { required: needs, signature: takes, .. } = self.type_of(&call.callee)
            && call.arguments.len() < needs
            && !call.arguments.iter().any(|argument| argument.is_spread())
        {
            self.report(call.callee.span(), |reader| {
                let (name, given) = (reader.text_of(call.callee.span()), call.arguments.len());
                (format!("`{name}` is given {given} of at least {needs} arguments"), format!("it takes {takes}"))
            });
        }
        let gives = self.call_result(call);
        self.record_type(call.span, gives);
    }

    fn visit_static_member_expression(&mut self, member: &StaticMemberExpression<'a>) {
        walk::walk_static_member_expression(self, member);
        let (of, name) = (self.type_of(&member.object), member.property.name.as_str());
        match self.types.member(&of, name) {
            Some(ty) => self.record_type(member.span, ty),
            None if self.assigned.contains(name) => {}
            None => self.report(member.property.span, |reader| {
                let object = reader.text_of(member.object.span());
                let members = reader.types.members(&of);
                let meant = match closest_match(name, members.iter().copied()) {
                    Some(meant) => format!("did you mean `{object}.{meant}`?"),
                    None => format!("it has {}", members.join(", ")),
                };
                (format!("`{object}` has no `{name}`"), meant)
            }),
        }
    }

    fn visit_computed_member_expression(&mut self, member: &ComputedMemberExpression<'a>) {
        walk::walk_computed_member_expression(self, member);
        if let Ty::Array(of) = self.type_of(&member.object) {
            self.record_type(member.span, *of);
        }
    }

    fn visit_array_expression(&mut self, array: &ArrayExpression<'a>) {
        walk::walk_array_expression(self, array);
        // `[...here.touches, ...there.touches]` keeps the element type.
        let mut all = array.elements.iter().map(|element| match element {
            ArrayExpressionElement::SpreadElement(spread) => self.type_of(&spread.argument),
            _ => Ty::Any,
        });
        let first = all.next().unwrap_or(Ty::Any);
        if all.all(|other| other == first) {
            self.record_type(array.span, first);
        }
    }
}

#[cfg(test)]
mod tests;

//! The types of "moongate", as the declarations for editors have them, for as much as a script is read by.

use oxc_allocator::Allocator;
use oxc_ast::ast::{
    BindingPattern, Declaration, FormalParameters, PropertyKey, Statement, TSSignature, TSType, TSTypeName,
};
use oxc_parser::Parser;
use oxc_span::{GetSpan, SourceType};
use std::collections::{BTreeMap, HashMap};

const TYPES: &str = include_str!("../../../assets/moongate.d.ts");

/// What is known of a value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Ty {
    /// Nothing.
    Any,
    /// It has the members of this shape.
    Shape(usize),
    /// An array.
    List(Box<Self>),
    /// What it has to be given, all that it takes as it is written, and what it gives.
    Function { needs: usize, takes: String, gives: Box<Self> },
}

#[derive(Debug, Default)]
struct Shape {
    members: BTreeMap<String, Ty>,
    /// What else there may be, and what that is.
    open: Option<Ty>,
    extends: Vec<usize>,
}

/// All of them.
pub(super) struct Types {
    shapes: Vec<Shape>,
    named: HashMap<String, usize>,
    /// The module itself.
    module: usize,
}

/// What every object has.
const OBJECT: [&str; 5] = ["toString", "hasOwnProperty", "valueOf", "constructor", "toLocaleString"];

impl Types {
    /// With the marks and dials that a manifest declares.
    pub fn new(ours: &[&str], dials: &[&str]) -> Self {
        let allocator = Allocator::default();
        let program = Parser::new(&allocator, TYPES, SourceType::d_ts()).parse().program;
        let mut types = Self { shapes: vec![Shape::default()], named: HashMap::new(), module: 0 };
        let module = program.body.iter().find_map(|statement| match statement {
            Statement::TSExternalModuleDeclaration(module) => module.body.as_ref(),
            _ => None,
        });
        let declared: Vec<&Declaration> = module
            .iter()
            .flat_map(|module| &module.body)
            .filter_map(|statement| match statement {
                Statement::ExportDeclaration(export) => Some(&export.declaration),
                _ => None,
            })
            .collect();
        for declaration in &declared {
            if let Declaration::TSInterfaceDeclaration(interface) = declaration {
                types.named.insert(interface.id.name.to_string(), types.shapes.len());
                types.shapes.push(Shape::default());
            }
        }
        for declaration in declared {
            types.declare(declaration);
        }
        let marks = types.named("Marks");
        types.only("ours", ours, &marks);
        types.only("dials", dials, &Ty::Any);
        types
    }

    fn declare(&mut self, declaration: &Declaration) {
        match declaration {
            Declaration::TSInterfaceDeclaration(interface) => {
                let mut shape = self.shape(&interface.body.body);
                shape.extends = interface
                    .extends
                    .iter()
                    .filter_map(|other| self.named.get(name_of(&other.type_name)?).copied())
                    .collect();
                let index = self.named[interface.id.name.as_str()];
                self.shapes[index] = shape;
            }
            Declaration::VariableDeclaration(variables) => {
                for variable in &variables.declarations {
                    if let BindingPattern::BindingIdentifier(name) = &variable.id {
                        let ty = variable.type_annotation.as_ref().map_or(Ty::Any, |ty| self.ty(&ty.type_annotation));
                        self.shapes[self.module].members.insert(name.name.to_string(), ty);
                    }
                }
            }
            Declaration::FunctionDeclaration(function) => {
                let gives = function.return_type.as_ref().map_or(Ty::Any, |ty| self.ty(&ty.type_annotation));
                if let Some(name) = &function.id {
                    let ty = self.function(&function.params, gives);
                    self.shapes[self.module].add(name.name.to_string(), ty);
                }
            }
            _ => {}
        }
    }

    /// Of an export that stands for whatever a manifest has: just that.
    fn only(&mut self, export: &str, names: &[&str], each: &Ty) {
        let members = names.iter().map(|name| ((*name).to_owned(), each.clone())).collect();
        self.shapes.push(Shape { members, ..Shape::default() });
        let shape = Ty::Shape(self.shapes.len() - 1);
        self.shapes[self.module].members.insert(export.into(), shape);
    }

    fn shape(&mut self, signatures: &[TSSignature]) -> Shape {
        let mut shape = Shape::default();
        for signature in signatures {
            match signature {
                TSSignature::TSIndexSignature(index) => {
                    shape.open = Some(self.ty(&index.type_annotation.type_annotation));
                }
                TSSignature::TSPropertySignature(property) => {
                    let ty = property.type_annotation.as_ref().map_or(Ty::Any, |ty| self.ty(&ty.type_annotation));
                    if let PropertyKey::StaticIdentifier(name) = &property.key {
                        shape.add(name.name.to_string(), ty);
                    }
                }
                TSSignature::TSMethodSignature(method) => {
                    let gives = method.return_type.as_ref().map_or(Ty::Any, |ty| self.ty(&ty.type_annotation));
                    if let PropertyKey::StaticIdentifier(name) = &method.key {
                        let ty = self.function(&method.params, gives);
                        shape.add(name.name.to_string(), ty);
                    }
                }
                _ => {}
            }
        }
        shape
    }

    fn function(&self, params: &FormalParameters, gives: Ty) -> Ty {
        let needs = params.items.iter().filter(|param| !param.optional && param.initializer.is_none()).count();
        let span = params.span();
        let takes = TYPES[span.start as usize..span.end as usize].to_owned();
        Ty::Function { needs, takes, gives: Box::new(gives) }
    }

    fn ty(&mut self, ty: &TSType) -> Ty {
        match ty {
            TSType::TSTypeReference(named) => {
                let known = name_of(&named.type_name).and_then(|name| self.named.get(name));
                known.map_or(Ty::Any, |index| Ty::Shape(*index))
            }
            TSType::TSTypeOperatorType(readonly) => self.ty(&readonly.type_annotation),
            TSType::TSArrayType(array) => Ty::List(Box::new(self.ty(&array.element_type))),
            TSType::TSTypeLiteral(literal) => {
                let shape = self.shape(&literal.members);
                self.shapes.push(shape);
                Ty::Shape(self.shapes.len() - 1)
            }
            // One thing or null.
            TSType::TSUnionType(union) => match &union.types[..] {
                [one, TSType::TSNullKeyword(_)] => self.ty(one),
                _ => Ty::Any,
            },
            _ => Ty::Any,
        }
    }

    /// What the module exports.
    pub fn exports(&self) -> impl Iterator<Item = &str> {
        self.shapes[self.module].members.keys().map(String::as_str)
    }

    /// The module as one thing.
    pub fn all(&self) -> Ty {
        Ty::Shape(self.module)
    }

    /// One of its exports.
    pub fn export(&self, name: &str) -> Ty {
        self.shapes[self.module].members.get(name).cloned().unwrap_or(Ty::Any)
    }

    /// An interface.
    pub fn named(&self, name: &str) -> Ty {
        self.named.get(name).map_or(Ty::Any, |index| Ty::Shape(*index))
    }

    /// A member of something; none if it has no such one.
    pub fn member(&self, of: &Ty, name: &str) -> Option<Ty> {
        let Ty::Shape(index) = of else { return Some(Ty::Any) };
        let shape = &self.shapes[*index];
        let own = shape.members.get(name).cloned().or_else(|| OBJECT.contains(&name).then_some(Ty::Any));
        let of_others = || shape.extends.iter().find_map(|other| self.member(&Ty::Shape(*other), name));
        own.or_else(of_others).or_else(|| shape.open.clone())
    }

    /// The names of what something has.
    pub fn members(&self, of: &Ty) -> Vec<&str> {
        let Ty::Shape(index) = of else { return Vec::new() };
        let shape = &self.shapes[*index];
        let others = shape.extends.iter().flat_map(|other| self.members(&Ty::Shape(*other)));
        shape.members.keys().map(String::as_str).chain(others).collect()
    }
}

impl Shape {
    /// Of a function that is declared in several ways the shortest counts, with all of them written down.
    fn add(&mut self, name: String, ty: Ty) {
        let ty = match (self.members.remove(&name), ty) {
            (Some(Ty::Function { needs, takes, gives }), Ty::Function { needs: other, takes: more, .. }) => {
                Ty::Function { needs: needs.min(other), takes: format!("{takes} or {more}"), gives }
            }
            (_, ty) => ty,
        };
        self.members.insert(name, ty);
    }
}

fn name_of<'a>(name: &'a TSTypeName) -> Option<&'a str> {
    match name {
        TSTypeName::IdentifierReference(name) => Some(name.name.as_str()),
        _ => None,
    }
}

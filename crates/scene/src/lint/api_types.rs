//! Types of the module "moongate", from the declarations for editors, as far as the check needs them.

use oxc_allocator::Allocator;
use oxc_ast::ast::{
    BindingPattern, Declaration, FormalParameters, PropertyKey, Statement, TSSignature, TSType, TSTypeName,
};
use oxc_parser::Parser;
use oxc_span::{GetSpan, SourceType};
use std::collections::{BTreeMap, HashMap};

const DECLARATIONS: &str = include_str!("../../../../assets/moongate.d.ts");

/// Type of a value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Ty {
    /// Unknown.
    Any,
    /// An object: index of its members.
    Object(usize),
    /// An array of one element type.
    Array(Box<Self>),
    /// A function: number of required arguments, its parameters as written, and its result.
    Function { required: usize, signature: String, returns: Box<Self> },
}

#[derive(Debug, Default)]
struct ObjectType {
    members: BTreeMap<String, Ty>,
    /// Type of any further member.
    index_type: Option<Ty>,
    extends: Vec<usize>,
}

/// All types of the module.
pub(super) struct ApiTypes {
    objects: Vec<ObjectType>,
    interfaces: HashMap<String, usize>,
    /// Index of the module itself.
    module: usize,
}

/// Members of every object.
const OBJECT_MEMBERS: [&str; 5] = ["toString", "hasOwnProperty", "valueOf", "constructor", "toLocaleString"];

impl ApiTypes {
    /// Creates the types, with the marks and parameters that a manifest declares.
    pub fn new(ours: &[&str], dials: &[&str]) -> Self {
        let allocator = Allocator::default();
        let program = Parser::new(&allocator, DECLARATIONS, SourceType::d_ts()).parse().program;
        let mut types = Self { objects: vec![ObjectType::default()], interfaces: HashMap::new(), module: 0 };
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
                types.interfaces.insert(interface.id.name.to_string(), types.objects.len());
                types.objects.push(ObjectType::default());
            }
        }
        for declaration in declared {
            types.add_declaration(declaration);
        }
        let marks = types.interface("Marks");
        types.restrict_export("ours", ours, &marks);
        types.restrict_export("dials", dials, &Ty::Any);
        types
    }

    fn add_declaration(&mut self, declaration: &Declaration) {
        match declaration {
            Declaration::TSInterfaceDeclaration(interface) => {
                let mut shape = self.object_type(&interface.body.body);
                shape.extends = interface
                    .extends
                    .iter()
                    .filter_map(|other| self.interfaces.get(type_name(&other.type_name)?).copied())
                    .collect();
                let index = self.interfaces[interface.id.name.as_str()];
                self.objects[index] = shape;
            }
            Declaration::VariableDeclaration(variables) => {
                for variable in &variables.declarations {
                    if let BindingPattern::BindingIdentifier(name) = &variable.id {
                        let ty =
                            variable.type_annotation.as_ref().map_or(Ty::Any, |ty| self.resolve(&ty.type_annotation));
                        self.objects[self.module].members.insert(name.name.to_string(), ty);
                    }
                }
            }
            Declaration::FunctionDeclaration(function) => {
                let gives = function.return_type.as_ref().map_or(Ty::Any, |ty| self.resolve(&ty.type_annotation));
                if let Some(name) = &function.id {
                    let ty = self.function_type(&function.params, gives);
                    self.objects[self.module].add_member(name.name.to_string(), ty);
                }
            }
            _ => {}
        }
    }

    /// Replaces an open-ended export by exactly the names that a manifest declares.
    fn restrict_export(&mut self, export: &str, names: &[&str], each: &Ty) {
        let members = names.iter().map(|name| ((*name).to_owned(), each.clone())).collect();
        self.objects.push(ObjectType { members, ..ObjectType::default() });
        let shape = Ty::Object(self.objects.len() - 1);
        self.objects[self.module].members.insert(export.into(), shape);
    }

    fn object_type(&mut self, signatures: &[TSSignature]) -> ObjectType {
        let mut shape = ObjectType::default();
        for signature in signatures {
            match signature {
                TSSignature::TSIndexSignature(index) => {
                    shape.index_type = Some(self.resolve(&index.type_annotation.type_annotation));
                }
                TSSignature::TSPropertySignature(property) => {
                    let ty = property.type_annotation.as_ref().map_or(Ty::Any, |ty| self.resolve(&ty.type_annotation));
                    if let PropertyKey::StaticIdentifier(name) = &property.key {
                        shape.add_member(name.name.to_string(), ty);
                    }
                }
                TSSignature::TSMethodSignature(method) => {
                    let gives = method.return_type.as_ref().map_or(Ty::Any, |ty| self.resolve(&ty.type_annotation));
                    if let PropertyKey::StaticIdentifier(name) = &method.key {
                        let ty = self.function_type(&method.params, gives);
                        shape.add_member(name.name.to_string(), ty);
                    }
                }
                _ => {}
            }
        }
        shape
    }

    fn function_type(&self, params: &FormalParameters, gives: Ty) -> Ty {
        let needs = params.items.iter().filter(|param| !param.optional && param.initializer.is_none()).count();
        let span = params.span();
        let takes = DECLARATIONS[span.start as usize..span.end as usize].to_owned();
        Ty::Function { required: needs, signature: takes, returns: Box::new(gives) }
    }

    fn resolve(&mut self, ty: &TSType) -> Ty {
        match ty {
            TSType::TSTypeReference(named) => {
                let known = type_name(&named.type_name).and_then(|name| self.interfaces.get(name));
                known.map_or(Ty::Any, |index| Ty::Object(*index))
            }
            TSType::TSTypeOperatorType(readonly) => self.resolve(&readonly.type_annotation),
            TSType::TSArrayType(array) => Ty::Array(Box::new(self.resolve(&array.element_type))),
            TSType::TSTypeLiteral(literal) => {
                let shape = self.object_type(&literal.members);
                self.objects.push(shape);
                Ty::Object(self.objects.len() - 1)
            }
            // `T | null` counts as `T`.
            TSType::TSUnionType(union) => match &union.types[..] {
                [one, TSType::TSNullKeyword(_)] => self.resolve(one),
                _ => Ty::Any,
            },
            _ => Ty::Any,
        }
    }

    /// Returns the names of the exports.
    pub fn exports(&self) -> impl Iterator<Item = &str> {
        self.objects[self.module].members.keys().map(String::as_str)
    }

    /// Returns the type of the module itself.
    pub fn module_type(&self) -> Ty {
        Ty::Object(self.module)
    }

    /// Returns the type of an export.
    pub fn export_type(&self, name: &str) -> Ty {
        self.objects[self.module].members.get(name).cloned().unwrap_or(Ty::Any)
    }

    /// Returns the type of an interface.
    pub fn interface(&self, name: &str) -> Ty {
        self.interfaces.get(name).map_or(Ty::Any, |index| Ty::Object(*index))
    }

    /// Returns the type of a member; `None` if there is no such member.
    pub fn member(&self, of: &Ty, name: &str) -> Option<Ty> {
        let Ty::Object(index) = of else { return Some(Ty::Any) };
        let shape = &self.objects[*index];
        let own = shape.members.get(name).cloned().or_else(|| OBJECT_MEMBERS.contains(&name).then_some(Ty::Any));
        let of_others = || shape.extends.iter().find_map(|other| self.member(&Ty::Object(*other), name));
        own.or_else(of_others).or_else(|| shape.index_type.clone())
    }

    /// Returns the names of all members.
    pub fn members(&self, of: &Ty) -> Vec<&str> {
        let Ty::Object(index) = of else { return Vec::new() };
        let shape = &self.objects[*index];
        let others = shape.extends.iter().flat_map(|other| self.members(&Ty::Object(*other)));
        shape.members.keys().map(String::as_str).chain(others).collect()
    }
}

impl ObjectType {
    /// Adds a member. An overloaded function keeps its smallest argument count and all of its signatures.
    fn add_member(&mut self, name: String, ty: Ty) {
        let ty = match (self.members.remove(&name), ty) {
            (
                Some(Ty::Function { required: needs, signature: takes, returns: gives }),
                Ty::Function { required: other, signature: more, .. },
            ) => Ty::Function { required: needs.min(other), signature: format!("{takes} or {more}"), returns: gives },
            (_, ty) => ty,
        };
        self.members.insert(name, ty);
    }
}

fn type_name<'a>(name: &'a TSTypeName) -> Option<&'a str> {
    match name {
        TSTypeName::IdentifierReference(name) => Some(name.name.as_str()),
        _ => None,
    }
}

/// Returns the members of an export, such as `draw` or `there`.
pub(super) fn api_members(export: &str) -> Vec<String> {
    let types = ApiTypes::new(&[], &[]);
    types.members(&types.export_type(export)).into_iter().map(str::to_owned).collect()
}

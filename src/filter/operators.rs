//! The types that operators take.

use cel::IdedExpr;
use cel::common::ast::{CallExpr, operators as op};

use super::ast;
use super::check::Checker;
use super::types::Type;

impl Checker<'_> {
    /// The type that an operator leads to; none if the call is no operator's.
    pub(super) fn operator(&mut self, call: &mut CallExpr, offset: usize) -> Option<Type> {
        if call.target.is_some() {
            return None;
        }
        let name = call.func_name.clone();
        Some(match (name.as_str(), call.args.as_mut_slice()) {
            (op::LOGICAL_AND | op::LOGICAL_OR, [left, right]) => {
                self.truth(left);
                self.truth(right);
                Type::Bool
            }
            (op::LOGICAL_NOT, [one]) => {
                self.truth(one);
                Type::Bool
            }
            (op::CONDITIONAL, [whether, yes, no]) => {
                self.truth(whether);
                let yes = self.visit(yes);
                yes.join(self.visit(no))
            }
            (op::EQUALS | op::NOT_EQUALS, [left, right]) => self.equality(left, right, offset),
            (op::LESS | op::LESS_EQUALS | op::GREATER | op::GREATER_EQUALS, [left, right]) => {
                self.order(left, right, offset)
            }
            (op::IN, [one, all]) => self.membership(one, all, offset),
            (op::INDEX, [of, index]) => self.index(of, index, offset),
            (op::NEGATE, [one]) => self.negative(one),
            (op::ADD | op::SUBSTRACT | op::MULTIPLY | op::DIVIDE | op::MODULO, [left, right]) => {
                self.arithmetic(left, right, offset)
            }
            _ => return None,
        })
    }

    fn truth(&mut self, node: &mut IdedExpr) {
        let found = self.visit(node);
        if !found.can_be(&Type::Bool) {
            self.at_start(node, format!("this is {found}; it must be true or false"));
        }
    }

    fn equality(&mut self, left: &mut IdedExpr, right: &mut IdedExpr, offset: usize) -> Type {
        let (left, right) = (self.visit(left), self.visit(right));
        if !left.can_equal(&right) {
            self.problem(offset, format!("{left} never equals {right}"));
        }
        self.work += usize::from(left.is_dyn() && right.is_dyn());
        Type::Bool
    }

    fn order(&mut self, left: &mut IdedExpr, right: &mut IdedExpr, offset: usize) -> Type {
        let (left, right) = (self.visit(left), self.visit(right));
        if !left.can_be_ordered(&right) {
            let told = format!("{left} is neither less nor greater than {right}");
            self.problem(offset, told);
        }
        self.work += usize::from(left.is_dyn() || right.is_dyn());
        Type::Bool
    }

    fn membership(&mut self, one: &mut IdedExpr, all: &mut IdedExpr, offset: usize) -> Type {
        if let Some(name) = ast::text(one).map(ToOwned::to_owned) {
            let place = ast::start(one, self.info);
            self.lower_case(all, &name, place);
        }
        let (one, all) = (self.visit(one), self.visit(all));
        let elements = match &all {
            Type::List(elements) => (**elements).clone(),
            Type::Map(_) => Type::Text,
            Type::Dyn => Type::Dyn,
            other => {
                self.problem(offset, format!("nothing is in {other}"));
                Type::Dyn
            }
        };
        if !one.can_equal(&elements) {
            self.problem(
                offset,
                format!("{one} is never in a list of which each element is {elements}"),
            );
        }
        self.work += 1;
        Type::Bool
    }

    fn index(&mut self, of: &mut IdedExpr, index: &mut IdedExpr, offset: usize) -> Type {
        if let Some(name) = ast::text(index).map(ToOwned::to_owned) {
            let place = ast::start(index, self.info);
            self.lower_case(of, &name, place);
        }
        let (of, index) = (self.visit(of), self.visit(index));
        match (&of, &index) {
            (Type::Map(values), Type::Text | Type::Dyn) => (**values).clone(),
            (Type::List(elements), Type::Int | Type::Uint | Type::Dyn) => (**elements).clone(),
            (Type::Dyn, Type::Text | Type::Int | Type::Uint | Type::Dyn) => Type::Dyn,
            _ => {
                self.problem(offset, format!("{of} cannot be indexed with {index}"));
                Type::Dyn
            }
        }
    }

    fn negative(&mut self, node: &mut IdedExpr) -> Type {
        let found = self.visit(node);
        if !matches!(found, Type::Int | Type::Double | Type::Dyn) {
            self.at_start(node, format!("{found} cannot be negative"));
            return Type::Dyn;
        }
        found
    }

    /// Numbers only: texts and lists that are joined could grow without end.
    fn arithmetic(&mut self, left: &mut IdedExpr, right: &mut IdedExpr, offset: usize) -> Type {
        let before = self.problems.len();
        let (left, right) = (self.visit(left), self.visit(right));
        let evident = |one: &Type| one.is_number() || one.is_dyn();
        let told = match (left.is_number(), right.is_number()) {
            // What is known of one side has been told already.
            _ if self.problems.len() > before => return Type::Dyn,
            (true, true) if left != right => {
                format!("{left} and {right} do not go together; convert one of them")
            }
            (true, _) if evident(&right) => return left,
            (_, true) if evident(&left) => return right,
            (false, false) if evident(&left) && evident(&right) => {
                "one of the two must evidently be a number: int(…), double(…)".to_owned()
            }
            _ => format!("{left} and {right} cannot be calculated with; numbers only"),
        };
        self.problem(offset, told);
        Type::Dyn
    }
}

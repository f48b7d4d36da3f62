//! The two logs of a scan. A value's finds are a range of each, so that they can be made void together.

use super::MAX_PIECES;
use crate::prompt::fields::{Fields, Parameter, Piece, Problem, Role, Span};

/// In a turn: the role is known only when the message ends, since it may stand behind the text.
const PENDING: u32 = 1 << 31;

/// What a scan remembers besides its finds.
#[derive(Clone, Debug, Default)]
pub(in crate::prompt) struct Scratch {
    marks: Vec<Mark>,
    /// For each node what was found beneath its last value: from and up to where. Of one node at most one value is
    /// open at a time, and a frame knows which of these are its own.
    found: Vec<(Lengths, Lengths)>,
    /// Some piece is void.
    is_void: bool,
}

/// A parameter or role.
#[derive(Clone, Copy, Debug)]
struct Mark {
    what: What,
    span: Span,
    /// Elements of an array of tools.
    elements: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Void,
    Parameter(Parameter),
    Null(Parameter),
    Role(Role),
}

/// How long the logs are.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lengths {
    pieces: usize,
    marks: usize,
}

impl Fields {
    /// Begin with empty logs.
    pub(super) fn start(&mut self, nodes: usize) {
        self.clear();
        self.scratch.marks.clear();
        self.scratch.found.resize(nodes, Default::default());
        self.scratch.is_void = false;
    }

    /// Add a piece. Without a role it gets that of its message when the message ends.
    #[inline(always)]
    pub(super) fn add_piece(
        &mut self,
        span: Span,
        role: Option<Role>,
        turn: u32,
        escaped: bool,
    ) -> Result<(), Problem> {
        if self.pieces.len() == MAX_PIECES {
            return Err(Problem::TooMany);
        }
        let turn = if role.is_none() { turn | PENDING } else { turn };
        self.pieces.push(Piece { span, role: role.unwrap_or(Role::User), turn, escaped });
        Ok(())
    }

    /// Add a mark. `elements` counts for tools only.
    #[inline(always)]
    pub(super) fn add_mark(&mut self, what: What, span: Span, elements: u32) -> Result<(), Problem> {
        if self.scratch.marks.len() == MAX_PIECES {
            return Err(Problem::TooMany);
        }
        self.scratch.marks.push(Mark { what, span, elements });
        Ok(())
    }

    /// The value of a node has ended; `from` are the lengths before it.
    #[inline(always)]
    pub(super) fn remember(&mut self, node: u16, from: Lengths) {
        self.scratch.found[node as usize] = (from, self.lengths());
    }

    #[inline(always)]
    pub(super) fn lengths(&self) -> Lengths {
        Lengths { pieces: self.pieces.len(), marks: self.scratch.marks.len() }
    }

    /// Forget what was found beneath the last value of a node. A void piece has an empty span, which no value has.
    pub(super) fn void(&mut self, node: u16) {
        let (from, to) = self.scratch.found[node as usize];
        for piece in &mut self.pieces[from.pieces..to.pieces] {
            piece.span = Span::default();
            self.scratch.is_void = true;
        }
        for mark in &mut self.scratch.marks[from.marks..to.marks] {
            mark.what = What::Void;
        }
    }

    /// Give the pieces of a message, found since `from`, the role that it named last.
    #[inline(always)]
    pub(super) fn settle_message(&mut self, from: Lengths) {
        let mut role = Role::User;
        for mark in &mut self.scratch.marks[from.marks..] {
            if let What::Role(named) = mark.what {
                role = named;
                // An outer message has a role of its own.
                mark.what = What::Void;
            }
        }
        // Else a conversation of many messages would fill the log.
        while self.scratch.marks.len() > from.marks
            && self.scratch.marks.last().is_some_and(|mark| mark.what == What::Void)
        {
            self.scratch.marks.pop();
        }
        for piece in &mut self.pieces[from.pieces..] {
            if piece.turn & PENDING != 0 {
                piece.turn &= !PENDING;
                piece.role = role;
            }
        }
    }

    /// What counts of all that was found.
    #[inline(always)]
    pub(super) fn settle(&mut self) {
        if self.scratch.is_void {
            self.pieces.retain(|piece| piece.span != Span::default());
        }
        for mark in &self.scratch.marks {
            let (parameter, is_null) = match mark.what {
                What::Parameter(parameter) => (parameter, false),
                What::Null(parameter) => (parameter, true),
                What::Void | What::Role(_) => continue,
            };
            self.places.push((parameter, mark.span));
            if is_null {
                continue;
            }
            self.parameters[parameter as usize] = Some(mark.span);
            if parameter == Parameter::Tools {
                self.tools += mark.elements;
            }
        }
    }
}

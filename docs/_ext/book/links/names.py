"""What the names in a page's code mean: which package, function, class or method each belongs to.

Cells are followed from top to bottom, as a reader follows them: imports and assignments give names
their meaning, and what a call returns is what its function is annotated with; torch's own functions
have no annotations, but say ``-> Tensor`` in their docstrings. Nothing is run. What is not known
for certain means nothing here, so a name may stay without a meaning, but has no wrong one.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import inspect
import re
import types
import typing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

RETURNS = re.compile(r"^(?:\.\. function:: )?\w+\(.*\) -> (.+)$", re.MULTILINE)


class Span(NamedTuple):
    """A name in a source, by its characters, and the dotted names it may be documented under."""

    start: int
    end: int
    targets: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Thing:
    """A module, a class, a function: the object itself, and the name it was reached by."""

    value: Any
    path: str
    returns: Meaning = None


@dataclass(frozen=True)
class Instance:
    """Something of this class. ``type`` may be generic: ``list[torch.Tensor]``."""

    type: Any
    path: str = ""

    @property
    def cls(self) -> Any:
        """Return the class itself."""
        return typing.get_origin(self.type) or self.type


@dataclass(frozen=True)
class Several:
    """A tuple of known things."""

    items: tuple[Meaning, ...]


Meaning = Thing | Instance | Several | None


def documented_type(function: Any) -> Any:
    """Read from a docstring whether a function returns a tensor, however it is called."""
    text = inspect.getdoc(function) or ""
    said = set(map(str.strip, RETURNS.findall(text)))
    if said in ({"Tensor"}, {"LongTensor"}) or (
        not said and text.startswith("Returns a new Tensor")
    ):
        return importlib.import_module("torch").Tensor
    return None


def annotated_type(function: Any) -> Any:
    """Return what a function is annotated to return, or says to return."""
    try:
        found = typing.get_type_hints(function).get("return")
    except (AttributeError, NameError, TypeError):
        found = None
    return found or documented_type(function)


def of_type(type_: Any) -> Meaning:
    """Turn an annotation into a meaning."""
    if typing.get_origin(type_) is tuple and ... not in typing.get_args(type_):
        return Several(tuple(of_type(item) for item in typing.get_args(type_)))
    known = isinstance(typing.get_origin(type_) or type_, type)
    return Instance(type_) if known and type_ is not types.NoneType else None


def aliases(thing: Any, path: str = "") -> list[str]:
    """List the names that a class or function may have: it may be shown nearer than it is made."""
    module = str(getattr(thing, "__module__", None) or "").split(".")
    name = str(getattr(thing, "__qualname__", ""))
    if not name:  # A constant, which is at home in its class if that is of the same package.
        same = path.partition(".")[0] == type(thing).__module__.partition(".")[0]
        return [path, *aliases(type(thing))] if same else [path]
    nearer = [".".join([*module[:count], name]) for count in range(len(module), 0, -1)]
    own = [name] if module == ["builtins"] else nearer
    return [path, *own] if path else own


def attribute(of: Meaning, name: str) -> tuple[Meaning, tuple[str, ...]]:
    """Find what an attribute means, and what it may be documented as."""
    if isinstance(of, Thing):
        return attribute_of_thing(of, name)
    return attribute_of_instance(of, name) if isinstance(of, Instance) else (None, ())


def attribute_of_thing(of: Thing, name: str) -> tuple[Meaning, tuple[str, ...]]:
    """Find what there is in a module or in a class."""
    value, path = getattr(of.value, name, None), f"{of.path}.{name}"
    return Thing(value, path), tuple(aliases(value, path))


def attribute_of_instance(of: Instance, name: str) -> tuple[Meaning, tuple[str, ...]]:
    """Find a method, a property or a field, in the class itself or in one that it extends."""
    bases = [base for base in of.cls.__mro__ if base is not object]
    paths = tuple(f"{alias}.{name}" for base in bases for alias in aliases(base))
    paths = (f"{of.path}.{name}", *paths) if of.path else paths
    value, hints = inspect.getattr_static(of.cls, name, None), hints_of(of.cls)
    if isinstance(value, property):
        return of_type(annotated_type(value.fget)), paths
    if callable(method := getattr(of.cls, name, None)):
        return Thing(method, paths[0]), paths
    return of_type(hints.get(name)), paths if value is not None or name in hints else ()


def hints_of(cls: Any) -> dict[str, Any]:
    """Return the annotations of a class's attributes, those that can be understood."""
    try:
        return typing.get_type_hints(cls)
    except (NameError, TypeError):
        return {}


def is_tensor(meaning: Meaning) -> bool:
    """Tell whether something is a tensor."""
    return isinstance(meaning, Instance) and meaning.cls.__name__ == "Tensor"


def item_of(meaning: Meaning, index: int | None = None) -> Meaning:
    """Find what is in a container: at a place, or anywhere in a tensor."""
    if isinstance(meaning, Several):
        return meaning.items[index] if index is not None and index < len(meaning.items) else None
    # Of several axes, or of one.
    is_axes = isinstance(meaning, Instance) and meaning.cls.__name__ == "Axes"
    return meaning if is_axes or is_tensor(meaning) else None


class Reader(ast.NodeVisitor):
    """Follows code, and notes where each name stands that means something."""

    def __init__(self) -> None:
        """Start with an empty page."""
        self.scopes: list[dict[str, Meaning]] = [{}]
        self.lines: list[str] = []
        self.spans: list[Span] = []
        self.returned: Meaning = None

    def read(self, source: str) -> list[Span]:
        """Follow a cell. One that is not Python says nothing, and changes nothing.

        ``torch.nn.Linear`` is three names: the longest that begin at a place come first.
        """
        plain = "\n".join(re.sub(r"^(\s*)[%!]", r"\1#", line) for line in source.split("\n"))
        try:
            tree = ast.parse(plain)
        except SyntaxError:
            return []
        self.lines, self.spans = plain.split("\n"), []
        self.visit(tree)
        return sorted(set(self.spans), key=lambda span: (span.start, -span.end))

    def place(self, line: int, column: int) -> int:
        """Count characters, where Python counts lines and the bytes in a line."""
        before = sum(len(text) + 1 for text in self.lines[: line - 1])
        return before + len(self.lines[line - 1].encode()[:column].decode())

    def note(self, node: Any, targets: tuple[str, ...]) -> None:
        """Note a name, with those before its dots, as far as they are of one package."""
        end = self.place(node.end_lineno, node.end_col_offset)
        start = self.place(node.lineno, node.col_offset)
        root: ast.expr = node
        while isinstance(root, ast.Attribute):
            root = root.value
        if root is not node and not (
            isinstance(root, ast.Name) and isinstance(self.look_up(root.id), Thing)
        ):
            start = end - len(node.attr)
        if targets:
            self.spans.append(Span(start, end, targets))

    def look_up(self, name: str) -> Meaning:
        """Find what a plain name means."""
        for scope in reversed(self.scopes):
            if name in scope:
                return scope[name]
        return Thing(getattr(builtins, name), name) if hasattr(builtins, name) else None

    # ---- Expressions: what they mean ----

    def meaning(self, node: ast.expr | None) -> Meaning:
        """Find what an expression means, and note the names in it."""
        find = getattr(self, f"of_{type(node).__name__}", None)
        if find is not None:
            found: Meaning = find(node)
            return found
        if node is not None:
            for child in ast.iter_child_nodes(node):
                self.visit(child)
        return None

    def of_Name(self, node: ast.Name) -> Meaning:
        if not isinstance(node.ctx, ast.Load):
            self.scopes[-1][node.id] = None
            return None
        found = self.look_up(node.id)
        if isinstance(found, Thing):
            self.note(node, tuple(aliases(found.value, found.path)) if found.path else ())
        return found

    def of_Attribute(self, node: ast.Attribute) -> Meaning:
        found, targets = attribute(self.meaning(node.value), node.attr)
        self.note(node, targets)
        return found

    def of_Constant(self, node: ast.Constant) -> Meaning:
        return of_type(type(node.value))

    def of_JoinedStr(self, _node: ast.JoinedStr) -> Meaning:
        """Leave what is within out: before 3.12, Python does not know where that is."""
        return Instance(str)

    def of_Call(self, node: ast.Call) -> Meaning:
        called = self.meaning(node.func)
        given = [self.meaning(argument) for argument in node.args]
        for keyword in node.keywords:
            self.meaning(keyword.value)
        if isinstance(called, Instance):
            called = attribute(called, "forward")[0]
        if not isinstance(called, Thing):
            return None
        if called.returns is not None:
            return called.returns
        if inspect.isclass(called.value):
            if called.value in {zip, enumerate}:
                items = [item_of(one) for one in given]
                return Several(
                    (Instance(int), *items) if called.value is enumerate else tuple(items)
                )
            return Instance(called.value, called.path)
        if called.path == "matplotlib.pyplot.subplots":  # Annotated as Any.
            figure = importlib.import_module("matplotlib.figure").Figure
            axes = importlib.import_module("matplotlib.axes").Axes
            return Several((Instance(figure), Instance(axes)))
        return of_type(annotated_type(called.value))

    def of_Subscript(self, node: ast.Subscript) -> Meaning:
        self.meaning(node.slice)
        at = node.slice.value if isinstance(node.slice, ast.Constant) else None
        return item_of(self.meaning(node.value), at if isinstance(at, int) else None)

    def of_BinOp(self, node: ast.BinOp | ast.Compare) -> Meaning:
        sides = [self.meaning(x) for x in ast.iter_child_nodes(node) if isinstance(x, ast.expr)]
        return next(filter(is_tensor, sides), None)

    of_Compare = of_BinOp

    def of_Tuple(self, node: ast.Tuple) -> Meaning:
        return Several(tuple(self.meaning(item) for item in node.elts))

    def of_DictComp(self, node: ast.DictComp) -> Meaning:
        self.within(*node.generators, node.key, node.value)
        return Instance(dict)

    def of_GeneratorExp(self, node: ast.GeneratorExp | ast.ListComp | ast.SetComp) -> Meaning:
        self.within(*node.generators, node.elt)
        return None

    of_ListComp = of_SetComp = of_GeneratorExp

    def of_Lambda(self, node: ast.Lambda) -> Meaning:
        self.within(node.args, node.body)
        return None

    def within(self, *parts: ast.AST) -> None:
        """Follow what has names of its own."""
        self.scopes.append({})
        for part in parts:
            self.visit(part)
        self.scopes.pop()

    # ---- Statements: what names mean from here on ----

    def visit(self, node: ast.AST) -> None:
        """Follow a statement; of an expression, note the names."""
        if isinstance(node, ast.expr):
            self.meaning(node)
        else:
            super().visit(node)

    def assign(self, target: ast.expr, meaning: Meaning) -> None:
        """Give a name, or several, a meaning: what is a thing elsewhere is only a value here."""
        if isinstance(target, ast.Name):
            self.scopes[-1][target.id] = None if isinstance(meaning, Thing) else meaning
        elif isinstance(target, ast.Tuple | ast.List):
            for place, item in enumerate(target.elts):
                self.assign(item, item_of(meaning, place))
        else:
            self.meaning(target)

    def visit_Assign(self, node: ast.Assign) -> None:
        """Give names a meaning."""
        meaning = self.meaning(node.value)
        for target in node.targets:
            self.assign(target, meaning)

    def visit_For(self, node: ast.For) -> None:
        """Give names the meaning of what comes out, one after another."""
        found = self.meaning(node.iter)
        is_zipped = isinstance(node.iter, ast.Call) and isinstance(found, Several)
        self.assign(node.target, found if is_zipped else item_of(found))
        for statement in (*node.body, *node.orelse):
            self.visit(statement)

    def visit_arg(self, node: ast.arg) -> None:
        """Forget what the name of a parameter meant."""
        self.scopes[-1][node.arg] = None

    def visit_Import(self, node: ast.Import) -> None:
        """Name modules."""
        for alias in node.names:
            name = alias.name if alias.asname else alias.name.partition(".")[0]
            module = module_named(name)
            self.scopes[-1][alias.asname or name] = Thing(module, name) if module else None
            self.note_name(alias, alias.name, (alias.name,))

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        """Name what is in a module."""
        package = module_named(node.module or "")
        for alias in node.names:
            path = f"{node.module}.{alias.name}"
            value = getattr(package, alias.name, None) or module_named(path)
            self.scopes[-1][alias.asname or alias.name] = Thing(value, path) if value else None
            self.note_name(alias, alias.name, tuple(aliases(value, path)) if value else ())

    def note_name(self, node: Any, name: str, targets: tuple[str, ...]) -> None:
        """Note a name at the beginning of a node."""
        start = self.place(node.lineno, node.col_offset)
        if targets:
            self.spans.append(Span(start, start + len(name), targets))

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        """Follow a function's body, and remember what it returns at last."""
        for expression in node.decorator_list:
            self.meaning(expression)
        self.returned = None
        self.within(node.args, *node.body)
        self.scopes[-1][node.name] = Thing(None, "", self.returned)
        self.returned = None

    def visit_Return(self, node: ast.Return) -> None:
        """Note what is returned."""
        self.returned = self.meaning(node.value)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        """Follow a class's body; what the class is to the reader stands before their eyes."""
        for expression in (*node.decorator_list, *node.bases):
            self.meaning(expression)
        self.within(*node.body)
        self.scopes[-1][node.name] = None


def module_named(name: str) -> types.ModuleType | None:
    """Import a module, if it is there."""
    try:
        return importlib.import_module(name)
    except (ImportError, ValueError):
        return None


def meanings(cells: list[str]) -> Iterator[list[Span]]:
    """Yield, for each cell of a page, the names in it that mean something."""
    reader = Reader()
    for cell in cells:
        yield reader.read(cell)

"""Named extension points: filled while apps load, frozen before the first request."""

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")
_all: list["Registry"] = []


class Registry(Generic[T]):
    """A table of things by key. Doubles and late additions raise; order is order of registration."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._items: dict[str, T] = {}
        self._frozen = False
        _all.append(self)

    def add(self, key: str, item: T) -> T:
        """Put `item` under `key`."""
        if self._frozen:
            raise RuntimeError(f"The {self.name} registry is frozen; register {key!r} from an app's ready().")
        if key in self._items:
            raise RuntimeError(f"The {self.name} registry already has {key!r}.")
        self._items[key] = item
        return item

    def register(self, key: str) -> Callable[[T], T]:
        """`add` as a decorator."""
        return lambda item: self.add(key, item)

    def get(self, key: str) -> T | None:
        """What stands under `key`, or None."""
        return self._items.get(key)

    def __getitem__(self, key: str) -> T:
        try:
            return self._items[key]
        except KeyError:
            known = ", ".join(self._items) or "nothing"
            raise KeyError(f"No {self.name} is called {key!r}; there is {known}.") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def items(self) -> list[tuple[str, T]]:
        """All of it, in order of registration."""
        return list(self._items.items())

    def values(self) -> list[T]:
        """The things alone, in order of registration."""
        return list(self._items.values())

    def freeze(self) -> None:
        """Refuse everything from now on."""
        self._frozen = True


def freeze_all() -> None:
    """Called once, when all apps are ready."""
    for registry in _all:
        registry.freeze()

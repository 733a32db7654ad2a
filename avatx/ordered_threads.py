"""What is done to each of many things by a few threads, and comes in the order of the things."""

import collections
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def in_threads(
    function: Callable[[_Item], _Result], items: Iterable[_Item], threads: int = 2
) -> Iterator[tuple[_Item, _Result]]:
    """Yields each item with what `function` makes of it, in their order.

    Worth it where `function` lets other threads run, as numpy and pyarrow do. Not more than
    `threads` + 1 items and results are held at once.

    Args:
      function: may be called by several threads at a time.
      items: are asked for by the caller's thread.
      threads: how many.

    Raises:
      What `items` or `function` raise, of the first item where they do, after all before it have
      been yielded.
    """
    failure: Exception | None = None
    waiting: collections.deque[tuple[_Item, Future[_Result]]] = collections.deque()
    iterator = iter(items)
    with ThreadPoolExecutor(threads) as pool:
        try:
            while True:
                try:
                    item = next(iterator)
                except StopIteration:
                    break
                except Exception as error:  # raised below, when its turn has come
                    failure = error
                    break
                waiting.append((item, pool.submit(function, item)))
                if len(waiting) > threads:
                    item, future = waiting.popleft()
                    yield item, future.result()
            while waiting:
                item, future = waiting.popleft()
                yield item, future.result()
        finally:  # the caller may have stopped asking
            for _, future in waiting:
                future.cancel()
    if failure is not None:
        raise failure

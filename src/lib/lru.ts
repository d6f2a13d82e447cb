/** A map of bounded size that drops the entry used longest ago. */
export type Lru<Key, Value> = {
  /** Looks up, and counts as a use. */
  readonly get: (key: Key) => Value | undefined;
  /** Looks up without counting as a use. */
  readonly peek: (key: Key) => Value | undefined;
  readonly set: (key: Key, value: Value) => void;
  readonly delete: (key: Key) => boolean;
  readonly clear: () => void;
  readonly size: () => number;
  readonly entries: () => IterableIterator<[Key, Value]>;
};

/**
 * Makes one for at most `capacity` entries. A `Map` keeps its entries in the order of their
 * insertion; an entry that is used is inserted again, so that the first is always the one to drop.
 *
 * @param onEvict is called with each entry that had to make room
 */
export function createLru<Key, Value>(
  capacity: number,
  onEvict?: (key: Key, value: Value) => void,
): Lru<Key, Value> {
  const map = new Map<Key, Value>();
  function get(key: Key): Value | undefined {
    const value = map.get(key);
    if (value === undefined) return undefined;
    map.delete(key);
    map.set(key, value);
    return value;
  }

  function peek(key: Key): Value | undefined {
    return map.get(key);
  }

  function set(key: Key, value: Value): void {
    map.delete(key);
    map.set(key, value);
    if (map.size <= capacity) return;
    const [oldest] = map;
    if (oldest === undefined) return;
    map.delete(oldest[0]);
    onEvict?.(...oldest);
  }

  function clear(): void {
    map.clear();
  }

  function size(): number {
    return map.size;
  }

  function entries(): IterableIterator<[Key, Value]> {
    return map.entries();
  }

  function remove(key: Key): boolean {
    return map.delete(key);
  }

  return { get, peek, set, delete: remove, clear, size, entries };
}

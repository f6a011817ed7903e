/** A frozen copy of what may be JSON, read once, whatever it is. What is no JSON is kept for {@link isJson} to find. */
export function frozenCopy<T>(value: T, copies = new Map<unknown, unknown>(), depth = 0): T {
  if (copies.has(value)) return copies.get(value) as T;
  if (depth > 64) throw new RangeError('it is nested more than 64 levels deep, or in a circle');
  const isList = Array.isArray(value);
  if (!isList && !isPlain(value)) return value;
  const deeper = (item: unknown) => frozenCopy(item, copies, depth + 1);
  const copy = Object.freeze(isList ? Array.from(value, deeper) : copyFields(value, deeper)) as T;
  copies.set(value, copy);
  return copy;
}

function copyFields(value: Record<PropertyKey, unknown>, deeper: (item: unknown) => unknown): object {
  const entries = Reflect.ownKeys(value).map((key) => {
    if (typeof key === 'symbol') throw new TypeError(`unknown key ${String(key)}: only strings are keys`);
    return [key, deeper(value[key])];
  });
  return Object.fromEntries(entries);
}

/** Of a frozen copy: whether all its leaves are JSON's. A field that is `undefined` is as good as absent, there as here. */
export function isJson(value: unknown): boolean {
  try {
    return isJsonBelow(value, new Set());
  } catch {
    // A leaf that is no JSON may be anything, and throw when it is looked at.
    return false;
  }
}

function isJsonBelow(value: unknown, seen: Set<unknown>): boolean {
  if (value === null || typeof value === 'string' || typeof value === 'boolean' || seen.has(value)) return true;
  if (typeof value === 'number') return Number.isFinite(value);
  seen.add(value);
  if (Array.isArray(value)) return value.every((item) => isJsonBelow(item, seen));
  return isPlain(value) && Object.values(value).every((item) => item === undefined || isJsonBelow(item, seen));
}

/** A frozen copy of plain objects and lists, as deep as they go, circles included; what is neither is kept as it is. */
export function frozen<T>(value: T, copies = new Map<unknown, unknown>()): T {
  const isList = Array.isArray(value);
  if (!isList && !isPlain(value)) return value;
  const known = copies.get(value);
  if (known) return known as T;
  const copy: Record<PropertyKey, unknown> | unknown[] = isList ? [] : {};
  copies.set(value, copy);
  for (const [key, item] of Object.entries(value)) {
    Object.defineProperty(copy, key, { value: frozen(item, copies), enumerable: true });
  }
  return Object.freeze(copy) as T;
}

export function isPlain(value: unknown): value is Record<PropertyKey, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

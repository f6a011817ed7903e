import { once } from '../definition/check.ts';

/**
 * A text that two values share only if they are deeply equal: what a key of answers is made of. `undefined`: the value, or
 * something in it, may hide anything (an instance of a class, a function) or cannot be read, and equals nothing.
 */
export function canon(value: unknown): string | undefined {
  try {
    return write(value, []);
  } catch {
    return undefined;
  }
}

function write(value: unknown, above: readonly unknown[]): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'symbol' || typeof value === 'function')
    throw new TypeError(`a ${typeof value} may hide anything`);
  if (typeof value !== 'object' || value === null) return `${typeof value} ${value}`;
  const circle = above.indexOf(value);
  if (circle >= 0) return `^${circle}`;
  const deeper = (item: unknown) => write(item, [...above, value]);
  return writeObject(value, deeper);
}

function writeObject(value: object, deeper: (item: unknown) => string): string {
  const prototype = Object.getPrototypeOf(value);
  const keys = Reflect.ownKeys(value);
  if (Array.isArray(value)) {
    // Its indices and its length, and nothing else of its own; a hole is as good as undefined.
    if (prototype === Array.prototype && keys.every((key) => /^(\d+|length)$/.test(String(key))))
      return `[${Array.from(value, deeper).join()}]`;
  } else if (prototype === Object.prototype || prototype === null) {
    if (keys.every((key) => typeof key === 'string' && Object.prototype.propertyIsEnumerable.call(value, key))) {
      const own = (keys as string[]).sort();
      return `{${own.map((key) => `${JSON.stringify(key)}:${deeper((value as Record<string, unknown>)[key])}`).join()}}`;
    }
  } else {
    const text = known().get(prototype)?.(value as never, deeper);
    if (text !== undefined && (ArrayBuffer.isView(value) || value instanceof RegExp || keys.length === 0))
      return `${prototype.constructor.name}(${text})`;
  }
  throw new TypeError('an instance of a class may hide anything');
}

type Writer = (value: never, deeper: (item: unknown) => string) => string;

const bytes = ({ buffer, byteOffset, byteLength }: ArrayBufferView) =>
  `${new Uint8Array(buffer, byteOffset, byteLength)}`;

/** By prototype, so that no subclass with fields of its own is taken for one of them. */
const known = once((): ReadonlyMap<object, Writer> => {
  const views = [
    DataView,
    Int8Array,
    Uint8Array,
    Uint8ClampedArray,
    Int16Array,
    Uint16Array,
    Int32Array,
    Uint32Array,
    Float32Array,
    Float64Array,
    BigInt64Array,
    BigUint64Array,
  ];
  return new Map<object, Writer>([
    [Date.prototype, (date: Date) => `${date.getTime()}`],
    [RegExp.prototype, (pattern: RegExp) => JSON.stringify(`${pattern}`)],
    [URL.prototype, (url: URL) => JSON.stringify(url.href)],
    [
      Map.prototype,
      (map: Map<unknown, unknown>, deeper) =>
        Array.from(map, ([key, item]) => `${deeper(key)}:${deeper(item)}`)
          .sort()
          .join(),
    ],
    [Set.prototype, (set: Set<unknown>, deeper) => Array.from(set, deeper).sort().join()],
    [ArrayBuffer.prototype, (buffer: ArrayBuffer) => `${new Uint8Array(buffer)}`],
    ...views.map(({ prototype }) => [prototype, bytes] as const),
  ]);
});

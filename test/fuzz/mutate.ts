import { between, pick } from '../simulation/random.js';

type Random = () => number;

const oddBytes = [0, 1, 0x7f, 0x80, 0xff, 0x0a, 0x0d, 0x22, 0x25, 0x26, 0x2e, 0x2f, 0x3c, 0x5b, 0x7b];

/** One to four small changes: what storage and networks do, and what someone with an editor does. */
export function mutated(random: Random, bytes: Uint8Array): Buffer {
  let now: Buffer = Buffer.from(bytes);
  for (let n = between(random, 1, 4); n > 0; n--) now = change(random, now);
  return now;
}

function change(random: Random, bytes: Buffer): Buffer {
  const at = between(random, 0, Math.max(0, bytes.length - 1));
  const end = Math.min(bytes.length, at + between(random, 1, 16));
  const before = bytes.subarray(0, at);
  const slice = bytes.subarray(at, end);
  switch (between(random, 0, 7)) {
    case 0: // one bit
      return Buffer.concat([
        before,
        Buffer.of((bytes[at] ?? 0) ^ (1 << between(random, 0, 7))),
        bytes.subarray(at + 1),
      ]);
    case 1: // one byte
      return Buffer.concat([before, Buffer.of(pick(random, oddBytes)), bytes.subarray(at + 1)]);
    case 2: // cut out
      return Buffer.concat([before, bytes.subarray(end)]);
    case 3: // put in
      return Buffer.concat([before, noise(random, between(random, 1, 8)), bytes.subarray(at)]);
    case 4: // repeated
      return Buffer.concat([
        before,
        ...Array<Buffer>(between(random, 2, 40)).fill(slice),
        bytes.subarray(end),
      ]);
    case 5: // cut off
      return before;
    case 6: // a large number in four bytes, of either order
      return Buffer.concat([
        before,
        Buffer.from(
          pick(random, [0xffffffff, 0x7fffffff, 0x80000000, 0x00ffffff, 0xfaffffff])
            .toString(16)
            .padStart(8, '0'),
          'hex',
        ),
        bytes.subarray(Math.min(bytes.length, at + 4)),
      ]);
    default: // moved
      return Buffer.concat([slice, before, bytes.subarray(end)]);
  }
}

/** Random bytes. */
export function noise(random: Random, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => between(random, 0, 255)));
}

const oddValues: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  0.5,
  1e300,
  -0,
  2 ** 53,
  1e12,
  '',
  'x',
  '../../x',
  '/',
  '\ud800',
  '\0',
  '__proto__',
  'constructor',
  'file:///etc/passwd',
  'x'.repeat(5000),
  [],
  [[]],
  {},
  { __proto__: null, length: 3 },
];

/** A JSON document with one to three of its values, names or elements changed. */
export function mutatedJson<T>(random: Random, value: T): T {
  const copy = structuredClone(value);
  for (let n = between(random, 1, 3); n > 0; n--) changeJson(random, copy);
  return copy;
}

function changeJson(random: Random, value: unknown): void {
  const places: { readonly holder: Record<string, unknown>; readonly name: string }[] = [];
  const visit = (holder: unknown): void => {
    if (typeof holder !== 'object' || holder === null) return;
    for (const name of Object.keys(holder)) {
      places.push({ holder: holder as Record<string, unknown>, name });
      visit((holder as Record<string, unknown>)[name]);
    }
  };
  visit(value);
  if (places.length === 0) return;
  const { holder, name } = pick(random, places);
  switch (between(random, 0, 5)) {
    case 0:
      if (Array.isArray(holder)) holder.splice(Number(name), 1);
      else Reflect.deleteProperty(holder, name);
      break;
    case 1: {
      // Another value of the same document.
      const other = pick(random, places);
      holder[name] = structuredClone(other.holder[other.name]);
      break;
    }
    case 2:
      if (Array.isArray(holder)) holder.push(structuredClone(holder[Number(name)]));
      else holder[pick(random, ['extra', '__proto__', 'constructor'])] = structuredClone(holder[name]);
      break;
    case 3: {
      const was = holder[name];
      holder[name] =
        typeof was === 'number'
          ? was + pick(random, [-1, 1, 0.5, 2 ** 31, -(2 ** 40)])
          : typeof was === 'string'
            ? mutated(random, Buffer.from(was)).toString('latin1')
            : pick(random, oddValues);
      break;
    }
    default:
      holder[name] = structuredClone(pick(random, oddValues));
  }
}

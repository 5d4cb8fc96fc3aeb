/**
 * The demo's input: web-access events as a shop's edge servers would log them, the same on every machine.
 *
 * Every event comes from a seeded generator, so that the number of events and the seed determine the bytes exactly. Each
 * object covers eight hours of one day and is in time order but for 1 % of stragglers, which were written up to
 * twelve hours late (so that most days have more than one output file open). Users are skewed as visitors are: the
 * k-th busiest one has about 1/k of the events of the first.
 */

/** One line of the input. */
export interface WebEvent {
  /** 1, 2, … over the whole set, unique per event. */
  readonly id: number;
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly user: string;
  readonly kind: 'click' | 'view' | 'search' | 'purchase';
  readonly path: string;
  readonly status: number;
  /** Size of the response. */
  readonly bytes: number;
  readonly agent: string;
  readonly ref: string;
}

/** Describes one object of the set. */
export interface Slice {
  /** Relative to the set: `2026/03/02/web-00.ndjson`. */
  readonly name: string;
  readonly gzip: boolean;
  readonly firstId: number;
  readonly events: number;
  /** Milliseconds since the epoch. */
  readonly start: number;
}

export interface SetOptions {
  readonly events: number;
  readonly seed: number;
}

/** Changes whenever the same options would produce other bytes; part of the cache key. */
export const generatorVersion = 1;

const hour = 3_600_000;
const firstDay = Date.UTC(2026, 2, 2);
const days = 4;
const hoursPerSlice = 8;
const slicesPerDay = 24 / hoursPerSlice;

/** The objects of a set: three a day for four days, the last of each day gzipped. */
export function slices({ events }: SetOptions): Slice[] {
  const count = days * slicesPerDay;
  return Array.from({ length: count }, (_, i) => {
    const first = Math.floor((events * i) / count);
    const start = firstDay + i * hoursPerSlice * hour;
    const [day = '', time = ''] = new Date(start).toISOString().split('T');
    const gzip = i % slicesPerDay === slicesPerDay - 1;
    return {
      name: `${day.replaceAll('-', '/')}/web-${time.slice(0, 2)}.ndjson${gzip ? '.gz' : ''}`,
      gzip,
      firstId: first + 1,
      events: Math.floor((events * (i + 1)) / count) - first,
      start,
    };
  });
}

/** The lines of one object, in blocks of about 64 KiB. Only the current block is in memory. */
export function* lines(set: SetOptions, slice: Slice): Generator<Buffer, void, undefined> {
  const random = randomness(set.seed, slice.firstId);
  const users = Math.min(50_000, Math.max(100, Math.floor(set.events / 40)));
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
  let block = '';
  for (let i = 0; i < slice.events; i++) {
    const onTime = slice.start + Math.floor(((i + random()) / slice.events) * hoursPerSlice * hour);
    const at = random() < 0.01 ? onTime - Math.floor(random() * 12 * hour) : onTime;
    const rank = Math.floor(Math.exp(random() * Math.log(users + 1))) - 1;
    const user = ((rank * 7919 + 13) % users).toString().padStart(5, '0');
    const dice = random();
    const kind = dice < 0.5 ? 'click' : dice < 0.88 ? 'view' : dice < 0.96 ? 'search' : 'purchase';
    const path =
      kind === 'search'
        ? `/s?q=${pick(words)}`
        : kind === 'purchase'
          ? '/checkout'
          : `/${pick(sections)}/${Math.floor(random() * random() * 9000)}`;
    const luck = random();
    const status = luck < 0.93 ? 200 : luck < 0.97 ? 304 : luck < 0.995 ? 404 : 500;
    const bytes = status === 304 ? 0 : 300 + Math.floor(60_000 * random() * random() * random());
    block +=
      `{"id":${(slice.firstId + i).toString()},"at":"${new Date(at).toISOString()}","user":"u${user}","kind":"${kind}",` +
      `"path":"${path}","status":${status.toString()},"bytes":${bytes.toString()},"agent":"${pick(agents)}","ref":"${pick(referrers)}"}\n`;
    if (block.length >= 65_536) {
      yield Buffer.from(block);
      block = '';
    }
  }
  if (block !== '') yield Buffer.from(block);
}

const sections = ['shoes', 'books', 'garden', 'audio', 'kitchen', 'toys', 'help', 'bikes'] as const;
const words = ['lamp', 'blue+jacket', 'tent', 'müsli', 'kettle', 'crème', 'usb+c', 'soufflé'] as const;
const agents = ['Firefox/148', 'Chrome/145', 'Safari/26', 'SamsungBrowser/29', 'Edge/145'] as const;
const referrers = [
  '',
  '',
  'https://shop.example/',
  'https://search.example/',
  'https://news.example/',
] as const;

/** mulberry32: small, fast, and good enough for shoppers. */
function randomness(...seeds: readonly number[]): () => number {
  let state = seeds.reduce((hash, seed) => Math.imul(hash ^ seed, 0x9e3779b1) >>> 0, 0x811c9dc5);
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

import fc from 'fast-check';
import type { Json } from '../../../src/flow/index.js';
import {
  minuteMillis,
  ReadVersions,
  type Changed,
  type ReadState,
  type Version,
} from '../../../src/sources/continuous/readVersions.js';
import { effort } from '../../support/effort.js';

const minutes = (n: number): number => n * minuteMillis;
const longestUpload = minutes(10);
/** Of the server's clock: far from 0, and no whole minute. */
const start = minutes(1_000_000) + 17_345;

/**
 * A server, in plain terms. Its machines' clocks differ by up to 40 seconds, and dates are cut to seconds. A multipart
 * object has the date of its upload's start.
 */
class Server {
  now = start;
  /** How far the clock of the machine is that answers next. */
  skew = 0;
  readonly objects = new Map<string, Version>();
  readonly uploads: { readonly key: string; readonly initiated: number }[] = [];
  #writes = 0;

  put(key: string, initiated = this.now): void {
    const modified = Math.floor((initiated + this.skew) / 1000) * 1000;
    this.objects.set(key, { key, etag: `etag-${this.#writes++}`, modified });
  }

  complete(index: number): void {
    const [upload] = this.uploads.splice(index % Math.max(1, this.uploads.length), 1);
    if (upload !== undefined && this.now - upload.initiated <= longestUpload)
      this.put(upload.key, upload.initiated);
  }

  page(after: string | undefined, limit: number): { readonly page: Version[]; readonly last: boolean } {
    const keys = [...this.objects.keys()].sort().filter((key) => after === undefined || key > after);
    return {
      page: keys.slice(0, limit).map((key) => this.objects.get(key)!),
      last: keys.length <= limit,
    };
  }
}

/** A continuous source that does one small thing at a time, and may crash after each. */
class Reading {
  versions: ReadVersions;
  readonly server: Server;
  readonly changed: Changed;
  /** Versions read, in order. After a crash, those before the restored position. */
  read: Version[] = [];
  /** The last checkpoint. */
  saved: { readonly state: Json | undefined; readonly read: number } = { state: undefined, read: 0 };
  page: Version[] = [];
  cursor: string | undefined;
  last = false;
  queue: Version[] = [];

  constructor(server: Server, changed: Changed) {
    this.server = server;
    this.changed = changed;
    this.versions = this.#open();
  }

  #open(): ReadVersions {
    const state = this.saved.state as ReadState | undefined;
    const versions = new ReadVersions({ changed: this.changed, longestUpload }, state);
    this.cursor = versions.after;
    this.last = false;
    return versions;
  }

  list(limit: number): void {
    if (this.page.length > 0) {
      const next = this.page.shift()!;
      if (this.versions.take(next, 'listed')) this.queue.push(next);
    } else if (this.last) {
      if (this.versions.inRound && !this.versions.ending) this.versions.listed();
      if (this.versions.inRound) return;
      this.last = false;
      this.cursor = undefined;
    } else {
      const { page, last } = this.server.page(this.cursor, limit);
      this.versions.begin(this.server.now + this.server.skew);
      this.page = page;
      this.cursor = page.at(-1)?.key ?? this.cursor;
      this.last = last;
    }
  }

  hint(key: string): void {
    const version = this.server.objects.get(key);
    if (version === undefined || this.versions.ending) return;
    if (this.versions.take(version, 'hinted')) this.queue.push(version);
  }

  open(): void {
    const next = this.queue.shift();
    if (next === undefined) return;
    if (this.server.objects.get(next.key)?.etag !== next.etag) {
      this.versions.lost(next, true);
      return;
    }
    this.versions.opened(next);
    this.read.push(next);
  }

  checkpoint(): void {
    const state = JSON.parse(JSON.stringify(this.versions.state())) as Json;
    this.saved = { state, read: this.read.length };
  }

  crash(): void {
    this.page = [];
    this.queue = [];
    this.read.length = this.saved.read;
    this.versions = this.#open();
  }

  /** Two whole rounds: the first may have begun too early. */
  settle(): void {
    for (let round = 0, steps = 0; round < 2;) {
      if (++steps > 1000) throw new Error('A round does not end.');
      const began = this.versions.inRound;
      this.list(3);
      while (this.queue.length > 0) this.open();
      if (began && this.last && this.page.length === 0 && !this.versions.ending) this.list(3);
      if (began && !this.versions.inRound) round++;
    }
  }
}

type Step = (reading: Reading, server: Server) => void;

const key = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g');

function often<T>(
  weight: number,
  values: fc.Arbitrary<T>,
  act: (value: T, reading: Reading, server: Server) => void,
) {
  const arbitrary = values.map(
    (value): Step =>
      (reading, server) =>
        act(value, reading, server),
  );
  return { weight, arbitrary };
}

const step: fc.Arbitrary<Step> = fc.oneof(
  often(3, key, (name, _, server) => server.put(name)),
  often(1, key, (name, _, server) => server.objects.delete(name)),
  often(2, key, (name, _, server) => server.uploads.push({ key: name, initiated: server.now })),
  often(3, fc.nat(5), (index, _, server) => server.complete(index)),
  often(4, fc.constantFrom(300, 1700, 61_000, minutes(5), minutes(10), minutes(12)), (time, _, server) => {
    server.now += time;
  }),
  often(3, fc.integer({ min: -20_000, max: 20_000 }), (skew, _, server) => {
    server.skew = skew;
  }),
  often(12, fc.integer({ min: 1, max: 3 }), (limit, reading) => reading.list(limit)),
  often(6, fc.constant(undefined), (_, reading) => reading.open()),
  often(3, fc.constant(undefined), (_, reading) => reading.checkpoint()),
  often(2, fc.constant(undefined), (_, reading) => reading.crash()),
  often(2, key, (name, reading) => reading.hint(name)),
);

/** `RUNS=50000` looks harder. */
const numRuns = Number(process.env['RUNS'] ?? effort(500, 3000));

const duplicates = (read: readonly Version[]): string[] => {
  const names = read.map(({ key, etag }) => `${key} ${etag}`);
  return names.filter((name, index) => names.indexOf(name) !== index);
};

describe('versions, against a plain model', () => {
  it('each one is read exactly once, with late uploads, changes, deletions, hints and crashes', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const server = new Server();
        const reading = new Reading(server, 'read');
        for (const each of steps) each(reading, server);
        for (const { key: name, initiated } of server.uploads)
          if (server.now - initiated <= longestUpload) server.put(name, initiated);
        reading.settle();
        expect(duplicates(reading.read)).toEqual([]);
        const read = new Set(reading.read.map(({ etag }) => etag));
        expect([...server.objects.values()].filter(({ etag }) => !read.has(etag))).toEqual([]);
      }),
      { numRuns },
    );
  });

  it('without changed ones, the first version of a key is read', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const server = new Server();
        const reading = new Reading(server, 'ignore');
        for (const each of steps) each(reading, server);
        reading.settle();
        expect(duplicates(reading.read)).toEqual([]);
        const read = new Set(reading.read.map(({ key: name }) => name));
        expect([...server.objects.keys()].filter((name) => !read.has(name))).toEqual([]);
      }),
      { numRuns },
    );
  });

  it('without changed ones, no key is read twice before the horizon has passed it', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const server = new Server();
        const reading = new Reading(server, 'ignore');
        for (const each of steps) {
          each(reading, server);
          server.now = Math.min(server.now, start + longestUpload);
        }
        reading.settle();
        expect(reading.read.map(({ key: name }) => name).sort()).toEqual(
          [...new Set(reading.read.map(({ key: name }) => name))].sort(),
        );
      }),
      { numRuns },
    );
  });

  it('only versions at or after the horizon are remembered', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const server = new Server();
        const reading = new Reading(server, 'read');
        for (const each of steps) each(reading, server);
        server.skew = 0;
        server.now += 2 * longestUpload;
        reading.settle();
        expect(reading.versions.seen).toBe(0);
      }),
      { numRuns: Math.ceil(numRuns / 10) },
    );
  });
});

const rules = { changed: 'read', longestUpload } as const;
const object = (name: string, modified: number, etag = '1'): Version => ({ key: name, etag, modified });
const through = (versions: ReadVersions): ReadState =>
  JSON.parse(JSON.stringify(versions.state())) as ReadState;

/** A whole round over these objects, read immediately. Returns those read. */
function round(versions: ReadVersions, now: number | undefined, objects: readonly Version[]): string[] {
  versions.begin(now);
  const read = objects.filter((each) => {
    const wanted = versions.take(each, 'listed');
    if (wanted) versions.opened(each);
    return wanted;
  });
  versions.listed();
  return read.map(({ key: name }) => name);
}

describe('the horizon', () => {
  const late = minutes(1_000_000) - longestUpload;
  const found = (modified: number): string[] => {
    const versions = new ReadVersions(rules);
    round(versions, minutes(1_000_000), []);
    return round(versions, minutes(1_000_000) + 1, [object('late', modified)]);
  };

  it('leaves room for the longest upload, and for clocks that differ by a minute', () => {
    expect(found(late)).toEqual(['late']);
    expect(found(late - minuteMillis)).toEqual(['late']);
    expect(found(late - minuteMillis - 1)).toEqual([]);
  });

  it('of a round that is continued is that of its start', () => {
    const versions = new ReadVersions(rules);
    versions.begin(start);
    const restored = new ReadVersions(rules, through(versions));
    round(restored, start + minutes(60), []);
    const other = new ReadVersions(rules);
    round(other, start, []);
    expect(restored.state()).toEqual(other.state());
  });
});

describe('the cursor', () => {
  it('never passes what is pending', () => {
    const versions = new ReadVersions(rules);
    round(versions, start, [object('b', start)]);
    versions.begin(start);
    expect(versions.take(object('a', start), 'listed')).toBe(true);
    expect(versions.take(object('b', start), 'listed')).toBe(false);
    expect(versions.after).toBeUndefined();
    versions.opened(object('a', start));
    expect(versions.after).toBe('a');
    expect(versions.take(object('b', start), 'listed')).toBe(false);
    expect(versions.after).toBe('b');
  });

  it('moves with what is listed, not with hints', () => {
    const versions = new ReadVersions(rules);
    versions.begin(start);
    versions.take(object('z', start), 'hinted');
    versions.opened(object('z', start));
    expect(versions.after).toBeUndefined();
  });

  it('a version of which nothing was read is not seen, and the one before it is again', () => {
    const versions = new ReadVersions({ ...rules, changed: 'read' });
    const other = { ...object('a', start), etag: 'other' };
    const third = { ...other, etag: 'third' };
    for (const each of [object('a', start), other]) {
      expect(versions.take(each, 'hinted')).toBe(true);
      versions.opened(each);
    }
    versions.lost(third, true);
    expect(versions.take(other, 'hinted')).toBe(false);
    versions.lost(other, false);
    expect(versions.take(other, 'hinted')).toBe(false);
    versions.lost(other, true);
    expect(versions.take(object('a', start), 'hinted')).toBe(false);
    expect(versions.take(other, 'hinted')).toBe(true);
    versions.opened(other);
    const restored = new ReadVersions({ ...rules, changed: 'read' }, through(versions));
    restored.lost(other, true);
    expect(restored.seen).toBe(0);
  });

  it('a round ends although what it took is lost', () => {
    const versions = new ReadVersions(rules);
    versions.begin(start);
    versions.take(object('a', start), 'listed');
    versions.listed();
    versions.lost(object('a', start), true);
    expect(versions.inRound).toBe(false);
  });
});

describe('the state', () => {
  it('of a first round through old objects is a key, not a digest for each', () => {
    const versions = new ReadVersions(rules);
    versions.begin(start);
    for (let n = 0; n < 1000; n++) {
      const old = object(`old-${String(n).padStart(4, '0')}`, start - minutes(20));
      expect(versions.take(old, 'listed')).toBe(true);
      versions.opened(old);
    }
    expect(versions.seen).toBe(0);
    const restored = new ReadVersions(rules, through(versions));
    expect(restored.after).toBe('old-0999');
    // An object of a lower key that has appeared since.
    expect(restored.take(object('old-0000-late', start), 'hinted')).toBe(true);
    expect(restored.take(object('old-0998', start - minutes(20)), 'hinted')).toBe(false);
  });

  it('takes 20 characters for each version within the horizon', () => {
    const versions = new ReadVersions(rules);
    const objects = Array.from({ length: 1000 }, (_, n) =>
      object(`new-${String(n).padStart(4, '0')}`, start),
    );
    round(versions, start, objects);
    expect(JSON.stringify(versions.state().seen)).toHaveLength(1000 * 20 + '{"1000000":""}'.length);
    expect(round(new ReadVersions(rules, through(versions)), start, objects)).toEqual([]);
  });

  it('stays the same over 100,000 discoveries', () => {
    const versions = new ReadVersions(rules);
    let now = start;
    let live: Version[] = [];
    let read = 0;
    const sizes: number[] = [];
    for (let n = 0; n < 100_000; n += 20) {
      now += minutes(1);
      const added = Array.from({ length: 20 }, (_, i) => object(`k-${String(n + i).padStart(6, '0')}`, now));
      // A bucket whose objects are deleted after half an hour.
      live = [...live, ...added].slice(-600);
      read += round(versions, now, live).length;
      if (n >= 1000 && n % 1000 === 0) sizes.push(JSON.stringify(versions.state()).length);
    }
    // Ten minutes, one for the clocks, and the present one.
    expect([read, versions.seen]).toEqual([100_000, 240]);
    expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThan(10);
  });

  it('a version that is written again with the same content is the same one', () => {
    const versions = new ReadVersions(rules);
    let now = start;
    expect(round(versions, now, [object('a', now)])).toEqual(['a']);
    for (let n = 0; n < 20; n++) {
      now += minutes(5);
      expect(round(versions, now, [object('a', now)])).toEqual([]);
    }
    expect(round(versions, now, [object('a', now, '2')])).toEqual(['a']);
  });

  it('without the time of the server the horizon stays', () => {
    const versions = new ReadVersions(rules);
    round(versions, start, [object('a', start)]);
    const before = through(versions);
    round(versions, undefined, [object('a', start)]);
    expect(through(versions)).toEqual(before);
  });

  it('a clock that is set back does not move the horizon back', () => {
    const versions = new ReadVersions(rules);
    round(versions, start, []);
    const before = through(versions);
    round(versions, start - minutes(60), []);
    expect(through(versions)).toEqual(before);
  });

  it('a round is over when what it has taken is opened, hints included', () => {
    const versions = new ReadVersions(rules);
    versions.begin(start);
    const hinted = object('a', start - minutes(30));
    expect(versions.take(hinted, 'hinted')).toBe(true);
    versions.listed();
    expect([versions.inRound, versions.ending]).toEqual([true, true]);
    expect(through(versions).horizon).toBeUndefined();
    versions.opened(hinted);
    expect([versions.inRound, versions.ending]).toEqual([false, false]);
    expect(versions.take(hinted, 'hinted')).toBe(false);
  });
});

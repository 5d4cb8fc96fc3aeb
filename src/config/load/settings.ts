import type { ConfigProblem } from '../errors.js';
import { nearest } from '../nearest.js';
import { findKey, schema, type Found, type Row } from '../schema/index.js';

/** Where a value was set. */
export interface Origin {
  readonly from: 'set' | 'code' | 'environment' | 'file' | 'default';
  /** For people: `environment variable S3_REGION`, `/etc/millrace.yaml, line 3`. */
  readonly where: string;
}

/** The value of a key from one source. */
export interface Setting extends Found {
  /** As parsed by the schema. */
  readonly value: unknown;
  readonly origin: Origin;
}

/** Higher takes precedence. */
export const ranks: Readonly<Record<Origin['from'], number>> = {
  set: 4,
  code: 3,
  environment: 2,
  file: 1,
  default: 0,
};

/** Collects the settings of all sources, and all problems. */
export class Settings {
  readonly all: Setting[] = [];
  readonly problems: ConfigProblem[] = [];
  readonly warnings: string[] = [];
  /** The keys of each source, to find duplicates. */
  readonly #ids = new Set<string>();
  #strangers = 0;

  /** Adds the value of a flat key. */
  add(key: string, value: unknown, origin: Origin): void {
    const found = findKey(key);
    if (found === undefined) this.unknown(key, origin, () => suggestKey(key));
    else this.found(found, key, value, origin);
  }

  /** Adds the value of a known row; `as` is the spelling in the source. */
  found(found: Found, as: string, value: unknown, origin: Origin): void {
    const { row, key } = found;
    const { where } = origin;
    const inCode = origin.from === 'code' || origin.from === 'set';
    if (row.where === 'code' && !inCode) {
      this.problem(
        'OnlyInCode',
        key,
        `${as} (${where}): only code can set this. It must be ${row.kind.rule}.`,
      );
      return;
    }
    const reading = row.kind.read(value);
    if (reading === undefined) {
      this.problem(
        'InvalidValue',
        key,
        `${as}: ${show(row, value)} (${where}) is not allowed. It must be ${row.kind.rule}.`,
      );
      return;
    }
    const id = `${origin.from} ${key}`;
    if (this.#ids.has(id)) {
      this.problem(
        'Duplicate',
        key,
        `${as} (${where}) is set twice, perhaps in another spelling. Set it once.`,
      );
      return;
    }
    if (reading.clamped) {
      this.warnings.push(
        `${as}: ${show(row, value)} (${where}) is out of bounds, ${String(reading.value)} is used. It should be ${row.kind.rule}.`,
      );
    }
    this.#ids.add(id);
    this.all.push({ ...found, value: reading.value, origin });
  }

  /** Calls `suggest` only for the first unknown keys: the file of another program may have thousands. */
  unknown(key: string, { where }: Origin, suggest: () => string | undefined): void {
    const suggestion = ++this.#strangers <= mostSuggestions ? suggest() : undefined;
    const hint = suggestion === undefined ? '' : ` Did you mean ${suggestion}?`;
    const shown = suggestion === undefined ? masked(key) : key;
    this.problem('UnknownKey', shown, `${excerpt(shown)} (${where}) is not an option.${hint}`);
  }

  problem(code: ConfigProblem['code'], key: string, message: string): void {
    this.problems.push({ code, key, message });
  }
}

/** A key with a similar spelling, if there is one. */
export function suggestKey(key: string): string | undefined {
  const bucket = /^s3\.bucket\.(.+?)\.([^.]+(?:\.[^.]+)?)$/.exec(key);
  const spellings = schema.flatMap((row) => [row.key, ...(row.aliases ?? [])]);
  const named = bucket?.[1];
  return nearest(
    key,
    named === undefined
      ? spellings
      : spellings.map((each) => each.replace('s3.bucket.<name>.', `s3.bucket.${named}.`)),
  );
}

const mostSuggestions = 100;
const longestShown = 80;

/** The words of keys: `access-key`, `accessKey`, `ACCESS_KEY`, `s3`. */
const words =
  /^(?:[a-z][a-z0-9]{0,2}|[a-z]+(?:[-_][a-z]+)*|[a-z]+(?:[A-Z][a-z]+)*|[A-Z][A-Z0-9]?(?:_[A-Z]+)*|[A-Z]{1,12}(?:_[A-Z]+)*)$/;

/** An unknown key for a message: a part that is not a word may be a misplaced secret. */
function masked(key: string): string {
  return key
    .split('.')
    .map((step) => (words.test(step) && step.length <= 32 ? step : '<hidden>'))
    .join('.');
}

/** A value for a message; hidden if it is or may contain a secret. */
export function show(row: Row, value: unknown): string {
  const { name } = row.kind;
  const text = typeof value === 'string';
  if (name === 'secret' || name === 'code' || (name === 'uri' && text && /[@?]/.test(value))) {
    return 'its value (not shown)';
  }
  if (text) return `'${excerpt(value)}'`;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return Array.isArray(value) ? 'a list' : value === null ? 'nothing' : typeof value;
}

export function excerpt(text: string): string {
  return text.length > longestShown ? `${text.slice(0, longestShown)}…` : text;
}

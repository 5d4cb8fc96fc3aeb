import { MillraceError } from '../../errors.js';
import { deferredInFlow, isDeferred } from '../../flow/deferred.js';
import { typeName } from '../../formats/typeName.js';
import { isRecord } from '../../shape.js';
import type { OutboxMark } from '../outbox/mark.js';

/** Headers of the user. */
export type GivenHeaders = Readonly<Record<string, string>>;

/**
 * The headers of a request: ours, with those of the user in their place, whatever their case. Those that name the batch cannot be
 * replaced.
 *
 * Errors: `HttpRefused`, which has neither values nor a cause: these may be secret.
 */
export function headersOf(
  format: 'ndjson' | 'json',
  given: GivenHeaders | (() => GivenHeaders),
  mark: OutboxMark,
  target: string,
): Headers {
  const all = new Headers({
    'content-type': format === 'json' ? 'application/json' : 'application/x-ndjson',
  });
  for (const [name, value] of entriesOf(given, target)) {
    try {
      if (typeof value !== 'string') throw new TypeError();
      all.set(name, value);
    } catch {
      throw refused(
        target,
        isToken.test(name) ? `The header ${name} has no valid value` : 'A header has no valid name',
      );
    }
  }
  const { jobId, sink, checkpoint, sequence, epoch, origin } = mark;
  const ours = {
    'idempotency-key': idempotencyKeyOf(mark),
    'millrace-job': jobId,
    'millrace-sink': encodeURIComponent(sink),
    'millrace-checkpoint': String(checkpoint),
    'millrace-sequence': String(sequence),
    'millrace-epoch': String(epoch),
    ...(origin !== undefined && { 'millrace-origin': origin }),
  };
  for (const [name, value] of Object.entries(ours)) all.set(name, value);
  return all;
}

/** Names a batch, whichever attempt publishes it. */
export function idempotencyKeyOf({ jobId, sink, checkpoint, sequence, origin }: OutboxMark): string {
  const parts = [jobId, encodeURIComponent(sink), checkpoint, sequence];
  return [...parts, ...(origin === undefined ? [] : [origin])].join('-');
}

/** What an answer may repeat of a request and must not be shown: the query of the URL, and values of headers, as a whole and in parts, also within JSON. */
export function secretsOf(url: string, headers: Headers): readonly string[] {
  const { search, searchParams } = new URL(url);
  const values = [...headers].filter(([name]) => !isHarmless.test(name)).map(([, value]) => value);
  const all = [search.slice(1), ...searchParams.values(), ...values];
  const parts = all
    .flatMap((value) => [value, decoded(value)])
    .flatMap((value) => [value, ...value.split(/[\s,;=:&]+/)])
    .flatMap((value) => [value, JSON.stringify(value).slice(1, -1)]);
  return [...new Set(parts)].filter(({ length }) => length > 3).sort((a, b) => b.length - a.length);
}

/** Headers of the sink, whose values a message may have. */
const isHarmless = /^(content-type|idempotency-key|millrace-\w+)$/;

/** As a service reads it that expects Basic authentication. */
function decoded(value: string): string {
  const [, basic = ''] = /^Basic\s+(\S+)$/i.exec(value) ?? [];
  return Buffer.from(basic, 'base64').toString();
}

/** A name of a header: RFC 9110, 5.6.2. */
const isToken = /^[\w!#$%&'*+.^`|~-]+$/;

/** Callers may be JavaScript. */
function entriesOf(given: GivenHeaders | (() => GivenHeaders), target: string): [string, unknown][] {
  let all: unknown;
  try {
    all = typeof given === 'function' ? given() : given;
  } catch (error) {
    if (error instanceof MillraceError) throw error;
    throw refused(target, '`headers` failed');
  }
  if (isDeferred(all)) throw deferredInFlow('headers of httpSink returned', all);
  if (isRecord(all)) return Object.entries(all);
  throw refused(target, `\`headers\` is a value of type ${typeName(all)}, not an object of strings`);
}

function refused(target: string, what: string): MillraceError {
  return new MillraceError(
    'HttpRefused',
    `No request was sent to ${target}. ${what}. Check \`headers\`; what is wrong with the value is not shown, as it may be secret.`,
  );
}

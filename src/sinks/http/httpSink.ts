/**
 * Batches for a service: an outbox whose target is an HTTP endpoint.
 *
 * 1. A record becomes JSON when it arrives, so one that has no JSON form is refused at its place in the flow.
 * 2. A batch is one request with an `Idempotency-Key`, made of the job's id, the sink, the checkpoint, the sequence and the origin, which
 *    are headers of their own as well. Each try, of whichever attempt, has the same key and the same body. *Crash, or an answer that is lost:* the request is repeated, and the
 *    service recognizes the key.
 * 3. The status decides: see {@link failureOf}. The rest of the answer is read for messages, and to use the connection again, and not for
 *    long.
 *
 * Exactly once depends on the service. After a crash all batches of the last checkpoint come again, so it must remember their keys, or
 * the highest pair of checkpoint and sequence. It may refuse a lower `Millrace-Epoch` from a process that was replaced.
 */
import {
  catchError,
  concatMap,
  defer,
  ignoreElements,
  map,
  type Observable,
  type ObservableInput,
} from 'rxjs';
import { checkFunction, checkOptions, oneOf, required, type OptionNames } from '../../config/checkOptions.js';
import { InvalidOption } from '../../config/units.js';
import { MillraceError } from '../../errors.js';
import type { FlowOperator } from '../../flow/index.js';
import { jsonEncoder } from '../../formats/jsonEncoder.js';
import { PoisonBatch, PublishFailed } from '../outbox/errors.js';
import type { OutboxMark } from '../outbox/mark.js';
import { settingsOf, type OutboxOptions, type OutboxSettings, type PublishHelp } from '../outbox/options.js';
import { outboxOf } from '../outbox/outboxSink.js';
import { beginningOf, excerptOf } from './answer.js';
import { headersOf, idempotencyKeyOf, secretsOf } from './headers.js';

/** Options of `httpSink`. */
export interface HttpSinkOptions<A> extends Omit<OutboxOptions<A>, 'serializer'> {
  /** A line of JSON for each record, or one JSON array. Default `'ndjson'`. */
  readonly format?: 'ndjson' | 'json';
  /**
   * Further headers, or a function that is called for each try: for tokens that expire. If it fails, the job ends with `HttpRefused`; throw a
   * `PublishFailed` for another try.
   */
  readonly headers?: Readonly<Record<string, string>> | (() => Readonly<Record<string, string>>);
  /** Default `'POST'`. */
  readonly method?: 'POST' | 'PUT' | 'PATCH';
  /**
   * Asks the service whether it has a batch that it refused, by the `Idempotency-Key` of its requests. `false` should be final: a service that
   * remembers the question refuses a try that arrives later. Errors as in `published` of `outboxSink`; without it, a batch may be in both places.
   */
  readonly published?: (key: string, mark: OutboxMark, signal: AbortSignal) => ObservableInput<boolean>;
  /** Makes the requests. Default: the global `fetch`. */
  readonly fetch?: (url: string, init: RequestInit) => Promise<Response>;
}

const names: OptionNames<HttpSinkOptions<never>> = {
  maxBatch: true,
  retry: true,
  timeout: true,
  onPoison: true,
  onUnencodable: true,
  budget: true,
  backlog: true,
  format: true,
  headers: true,
  method: true,
  published: true,
  fetch: true,
};

/**
 * Sends records to an HTTP endpoint in batches, in order: each exactly once, if the endpoint remembers the `Idempotency-Key`s of requests, and
 * at least once otherwise.
 *
 * | status | |
 * |---|---|
 * | 2xx | the batch is there |
 * | 408, 409, 425, 429, 5xx, and no answer | it is sent again, no earlier than `Retry-After`, up to `retry.max` |
 * | 400, 413, 422 | it is poison |
 * | other 4xx, and redirects | the job ends with `HttpRefused` |
 *
 * Options and errors are those of `outboxSink` besides. Redirects are not followed.
 *
 * @param id names the sink in checkpoints; keep it for the life of the job
 * @param url without user info: put credentials into `headers`. Messages and events have neither headers nor the query
 *
 * @example
 * ```ts
 * clicks.pipe(
 *   httpSink('clicks', 'https://api.example.com/clicks', {
 *     headers: () => ({ authorization: `Bearer ${process.env['TOKEN'] ?? ''}` }),
 *     maxBatch: { records: 500 },
 *   }),
 * );
 * ```
 */
export function httpSink<A>(
  id: string,
  url: string,
  options: HttpSinkOptions<A> = {},
): FlowOperator<A, never> {
  const sink = `httpSink '${id}'`;
  required<object>(`the options of ${sink}`, options);
  checkOptions(sink, options, names);
  const { format = 'ndjson', headers = {}, method = 'POST', published, fetch: send, ...outbox } = options;
  oneOf(`${sink}: format`, format, ['ndjson', 'json']);
  oneOf(`${sink}: method`, method, ['POST', 'PUT', 'PATCH']);
  if (send !== undefined) checkFunction(`${sink}: fetch`, send);
  if (published !== undefined) checkFunction(`${sink}: published`, published);
  const target = targetOf(sink, url);
  const settings: OutboxSettings<Json> = settingsOf<Json>('httpSink', id, {
    ...(outbox as object),
    serializer: json,
    target,
    publish: (...args) => request(endpoint, ...args),
    ...(published !== undefined && {
      published: (_, mark, signal) => published(idempotencyKeyOf(mark), mark, signal),
    }),
  });
  const patience = Math.min(settings.timeout / 4, longestPatience);
  const endpoint: Endpoint = { url, target, format, headers, method, send: send ?? fetch, patience };
  return outboxOf(id, settings) as unknown as FlowOperator<A, never>;
}

/** The longest time that the rest of an answer is read, unless the timeout is short. Milliseconds. */
const longestPatience = 1000;

interface Endpoint extends Required<Pick<HttpSinkOptions<never>, 'format' | 'headers' | 'method'>> {
  readonly url: string;
  /** The URL for messages. */
  readonly target: string;
  /** How long the rest of an answer is read. Milliseconds. */
  readonly patience: number;
  readonly send: NonNullable<HttpSinkOptions<never>['fetch']>;
}

/** A record as text. It is parsed only for a dead letter. */
class Json {
  constructor(readonly text: string) {}

  toJSON(): unknown {
    return JSON.parse(this.text);
  }
}

const encode = jsonEncoder();

/** Records arrive as they are, and come back as their JSON. */
const json = {
  id: 'json',
  version: 1,
  encode: (record: Json) => Buffer.from(record instanceof Json ? record.text : encode(record)),
  decode: (bytes: Uint8Array) => new Json(Buffer.from(bytes).toString()),
  equals: () => true,
};

/** Completes if the endpoint has the batch. */
function request(
  { url, target, format, headers, method, send, patience }: Endpoint,
  batch: readonly Json[],
  mark: OutboxMark,
  signal: AbortSignal,
  { clock }: PublishHelp,
): Observable<never> {
  const texts = batch.map(({ text }) => text);
  const body = format === 'json' ? `[${texts.join(',')}]` : texts.map((text) => `${text}\n`).join('');
  return defer(() => {
    const all = headersOf(format, headers, mark, target);
    return defer(() => send(url, { method, signal, redirect: 'manual', body, headers: all })).pipe(
      catchError((cause: unknown) => {
        if (cause instanceof MillraceError) throw cause;
        throw new PublishFailed(`${target} did not answer. Check the service and the network.`, { cause });
      }),
      concatMap((response) =>
        beginningOf(response, patience, clock).pipe(
          map((text) => {
            const failure = failureOf(response, target, excerptOf(text, secretsOf(url, all)));
            if (failure !== undefined) throw failure;
          }),
          ignoreElements(),
        ),
      ),
    );
  });
}

/** Statuses that another try may change. */
const passing = new Set([408, 409, 425, 429]);
/** Statuses that are about the records. All others are about the request. */
const aboutData = new Set([400, 413, 422]);

/**
 * What a status says about the batch; `undefined` if the endpoint has it.
 *
 * @param excerpt of the answer
 */
function failureOf(response: Response, target: string, excerpt: string): MillraceError | undefined {
  const { status } = response;
  if (status >= 200 && status < 300) return undefined;
  const answered = `${status}${excerpt === '' ? '' : `: ${excerpt}`}`;
  if (passing.has(status) || status >= 500) {
    const retryAfter = retryAfterOf(response.headers);
    return new PublishFailed(`${target} answered ${answered}. Check the service.`, {
      ...(retryAfter !== undefined && { retryAfter }),
    });
  }
  if (aboutData.has(status)) return new PoisonBatch(`${target} refuses a batch with status ${answered}.`);
  return new MillraceError(
    'HttpRefused',
    `${target} answered ${answered}. Check the URL and the credentials in \`headers\`; redirects are not followed.`,
  );
}

/** Milliseconds. A date is compared with that of the answer, as clocks differ. */
function retryAfterOf(headers: Headers): number | undefined {
  const after = headers.get('retry-after');
  if (after === null) return undefined;
  if (/^\s*\d+\s*$/.test(after)) return Number(after) * 1000;
  const wait = Date.parse(after) - Date.parse(headers.get('date') ?? '');
  return Number.isNaN(wait) ? undefined : wait;
}

/** The URL without what may be secret. Errors: `InvalidOption`. */
function targetOf(sink: string, url: string): string {
  const rule = 'an http: or https: URL without user info; credentials belong in `headers`';
  const parsed = typeof (url as unknown) === 'string' && URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || !['http:', 'https:'].includes(parsed.protocol))
    throw new InvalidOption(`${sink}: url`, undefined, rule, `${sink}: url must be ${rule}.`);
  if (parsed.username !== '' || parsed.password !== '')
    throw new InvalidOption(`${sink}: url`, undefined, rule, `${sink}: url must be ${rule}.`);
  return parsed.origin + parsed.pathname;
}

import type { ChildProcess } from 'node:child_process';
import { parentPort, type MessagePort, type Worker } from 'node:worker_threads';
import { Observable, Subscription } from 'rxjs';
import { isRetryable, MillraceError } from '../../../errors.js';
import type { S3Credentials } from '../../../config/s3Options.js';
import { systemClock, type Clock } from '../../../flow/index.js';
import { token, type DelegationToken } from './tokens.js';

/**
 * Tokens are pulled: a worker that needs one (its first, the next before the current one expires, another after a refusal)
 * sends a request and gets the newest. So it has no listener in between, which would keep it alive, and misses no token that
 * was sent before it listened. Messages are plain values, which both kinds of cloning support.
 */
const tag = 'millrace.s3-native';

interface Ask {
  readonly [tag]: 'ask';
  readonly id: number;
}

type Answer =
  | { readonly token: SerializedToken }
  | { readonly failure: { readonly code: string; readonly message: string; readonly retryable: boolean } };

type Reply = { readonly [tag]: 'reply'; readonly id: number } & Answer;

/** A token as a plain value, to hand over by other means. It shows its secrets: do not log it. */
export interface SerializedToken {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  /** Milliseconds since the epoch. */
  readonly expiration: number;
}

/** Makes a plain value of a token. */
export function serializeToken({
  accessKeyId,
  secretAccessKey,
  sessionToken,
  expiration,
}: DelegationToken): SerializedToken {
  return { accessKeyId, secretAccessKey, sessionToken, expiration: expiration.getTime() };
}

/** Makes a token of a plain value. */
export function deserializeToken(plain: SerializedToken): DelegationToken {
  return token({ ...plain, expiration: new Date(plain.expiration) });
}

/**
 * Serves tokens to {@link receivedTokens} in a worker thread, at the other end of a channel, or in a child process. Emits
 * nothing, and completes when the other side is gone; unsubscribing stops serving. An error of `tokens` is sent to the
 * workers that are waiting; the next request tries again. A child process must have a channel: `fork`, or `stdio` with
 * `'ipc'`. Errors: `NoChannel`.
 *
 * @example
 * ```ts
 * import { fork } from 'node:child_process';
 *
 * const tokens$ = delegationTokens({ s3: { region: 'eu-central-1' } });
 * const child = fork('worker.js');
 * sendTokens(tokens$, child).subscribe();
 * ```
 */
export function sendTokens(
  tokens: Observable<DelegationToken>,
  to: Worker | MessagePort | ChildProcess,
): Observable<never> {
  return new Observable<never>((out) => {
    // A message to a peer that has just gone fails; its `exit` or `close` follows.
    const post = posterTo(to, () => undefined);
    let newest: DelegationToken | undefined;
    let waiting: number[] = [];
    let obtaining = Subscription.EMPTY;
    const answer = (reply: Answer): void => {
      for (const id of waiting) post({ [tag]: 'reply', id, ...reply });
      waiting = [];
    };
    const obtain = (): void => {
      obtaining = tokens.subscribe({
        next: (given) => {
          newest = given;
          answer({ token: serializeToken(given) });
        },
        error: (error: unknown) => {
          newest = undefined;
          answer({ failure: told(error) });
        },
        complete: () => answer({ failure: told(noTokens()) }),
      });
    };
    const heard = (message: unknown): void => {
      if (!isAsk(message)) return;
      waiting.push(message.id);
      if (newest !== undefined) answer({ token: serializeToken(newest) });
      else if (obtaining.closed) obtain();
    };
    const gone = (): void => out.complete();
    const peer: Peer = to;
    const events = { message: heard, exit: gone, close: gone };
    for (const [name, listener] of Object.entries(events)) peer.on(name, listener);
    out.add(() => {
      obtaining.unsubscribe();
      for (const [name, listener] of Object.entries(events)) peer.off(name, listener);
    });
    obtain();
  });
}

export interface ReceivedTokensOptions {
  /** Default: the machine's clock. */
  readonly clock?: Clock;
}

/** Milliseconds. The other side may have to obtain its first token from STS before it replies. */
const patience = 60_000;

let asked = 0;

/**
 * The credentials of a worker: requests a token from {@link sendTokens} whenever one is needed. `from` is a worker thread's
 * port to its parent, or the process of a child; by default, the one that applies. It does not keep a worker alive.
 *
 * The function rejects with the other side's error, under the same code, or with `NoTokens` if there is no reply within a
 * minute.
 *
 * @example
 * ```ts
 * using stores = openStores({ s3: { region: 'eu-central-1', credentials: receivedTokens() } });
 * stores.open('s3://lake/raw').store.list({}).subscribe(({ objects }) => console.log(objects.length));
 * ```
 */
export function receivedTokens(
  from: MessagePort | NodeJS.Process = parentPort ?? process,
  { clock = systemClock }: ReceivedTokensOptions = {},
): () => Promise<S3Credentials> {
  return () =>
    new Promise((resolve, reject) => {
      const post = posterTo(from, () => gone());
      const id = ++asked;
      const heard = (message: unknown): void => {
        if (!isReply(message) || message.id !== id) return;
        end();
        if ('token' in message) resolve(deserializeToken(message.token));
        else {
          const { code, message: text, retryable } = message.failure;
          reject(new MillraceError(code, text, { retryable }));
        }
      };
      const gone = (): void => {
        end();
        reject(unanswered('The other side has gone'));
      };
      const late = clock.after(patience, () => {
        end();
        reject(unanswered('Nobody answers'));
      });
      const peer: Peer = from;
      const events = { message: heard, disconnect: gone, close: gone };
      const end = (): void => {
        late.unsubscribe();
        for (const [name, listener] of Object.entries(events)) peer.off(name, listener);
      };
      for (const [name, listener] of Object.entries(events)) peer.on(name, listener);
      post({ [tag]: 'ask', id });
    });
}

/** What ports, workers and processes have in common; each has its own event for its end. */
interface Peer {
  on(name: string, listener: (message: unknown) => void): unknown;
  off(name: string, listener: (message: unknown) => void): unknown;
}

function posterTo(
  to: Worker | MessagePort | ChildProcess | NodeJS.Process,
  failed: () => void,
): (message: Ask | Reply) => void {
  if ('postMessage' in to) return (message) => to.postMessage(message);
  if (to.send === undefined)
    throw new MillraceError(
      'NoChannel',
      "This process has no channel to hand tokens over: start it with fork, or with 'ipc' in its stdio.",
    );
  return (message) =>
    void to.send?.(message, undefined, undefined, (error: Error | null) => {
      if (error !== null) failed();
    });
}

function told(error: unknown): { code: string; message: string; retryable: boolean } {
  if (error instanceof MillraceError)
    return { code: error.code, message: error.message, retryable: isRetryable(error) };
  return { code: 'NoTokens', message: 'The other side failed to obtain a session token.', retryable: false };
}

const noTokens = (): MillraceError =>
  new MillraceError(
    'NoTokens',
    'There are no session tokens: set security.delegation.token.provider.s3-native.enabled, or give the worker its own credentials.',
  );

function unanswered(what: string): MillraceError {
  return new MillraceError(
    'NoTokens',
    `${what}: no session token arrived. Subscribe sendTokens(tokens$, worker) in the process that started this one, and see whether its tokens fail.`,
    { retryable: true },
  );
}

function isAsk(message: unknown): message is Ask {
  return kind(message) === 'ask';
}

function isReply(message: unknown): message is Reply {
  return kind(message) === 'reply';
}

function kind(message: unknown): unknown {
  return typeof message === 'object' && message !== null ? (message as Partial<Ask | Reply>)[tag] : undefined;
}

import type { ChildProcess } from 'node:child_process';
import { parentPort, type MessagePort, type Worker } from 'node:worker_threads';
import { Observable, Subscription } from 'rxjs';
import { isRetryable, MillraceError } from '../../../errors.js';
import type { S3Credentials } from '../../../config/s3Options.js';
import { systemClock, type Clock } from '../../../flow/index.js';
import { token, type DelegationToken } from './tokens.js';

/**
 * Tokens are pulled: a worker that needs one (its first, the next before the last one ends, another after a refusal) asks,
 * and is answered with the newest. So it keeps no listener between, which would keep it alive, and misses nothing that
 * was sent before it listened. The messages are plain values, which both ways of cloning carry.
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

/** A token as a plain value for a way of one's own to hand it over. It shows its secrets: do not log it. */
export interface SerializedToken {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  /** Milliseconds since the epoch. */
  readonly expiration: number;
}

/** The token as a plain value. */
export function serializeToken({
  accessKeyId,
  secretAccessKey,
  sessionToken,
  expiration,
}: DelegationToken): SerializedToken {
  return { accessKeyId, secretAccessKey, sessionToken, expiration: expiration.getTime() };
}

/** The token of a plain value. */
export function deserializeToken(plain: SerializedToken): DelegationToken {
  return token({ ...plain, expiration: new Date(plain.expiration) });
}

/**
 * Answers a worker thread, the other end of a channel, or a child process that asks for tokens by {@link receivedTokens}.
 * Emits nothing, and completes when the other side has gone; unsubscribing leaves it without answers. What `tokens` fails
 * with is the answer to those who ask; the next question tries again. A child process must have a channel: `fork`, or
 * `stdio` with `'ipc'`. Errors: `NoChannel`.
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
    // A message to what has just gone fails; its end is heard of below.
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

/** The other side obtains its first token before it answers, so an answer may take as long as STS does. Milliseconds. */
const patience = 60_000;

let asked = 0;

/**
 * The credentials of a worker: asks for a token whenever one is needed. `from` is a worker thread's port to its parent, or
 * the process of a child; default: whichever this is. Nothing listens between, so a worker ends when its work does.
 *
 * The function rejects with what kept the other side from having a token, under the same code, and with `NoTokens` if
 * nobody answers within a minute.
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

/** What ports, workers and processes have in common, each with names of its own for its end. */
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
    `${what}: no session token came. Subscribe sendTokens(tokens$, worker) in the process that started this one, and see whether its tokens fail.`,
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

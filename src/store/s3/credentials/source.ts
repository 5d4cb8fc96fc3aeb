import { monotonic, systemClock, type Clock } from '../../../flow/index.js';
import type { S3Credentials } from '../../../config/s3Options.js';

/** Provides a client with credentials, and with others once a server has refused them. */
export interface CredentialSource {
  /** The credentials to sign with now. */
  get(): Promise<S3Credentials>;
  /** Whether there are others than `refused`; `get` then returns them. */
  renew(refused: S3Credentials): Promise<boolean>;
}

export function fixed(credentials: S3Credentials): CredentialSource {
  return { get: () => Promise.resolve(credentials), renew: () => Promise.resolve(false) };
}

/** New credentials are requested this long before the old ones expire, or a quarter of their lifetime if that is less. Milliseconds. */
const margin = 5 * 60_000;

/** This close to expiry, requests wait for new credentials: a request signed now must arrive in time. Milliseconds. */
const lastMoments = 10_000;

/** Between two attempts to get new credentials while the old ones are valid. Milliseconds. */
const pause = 10_000;

/**
 * Credentials that are refreshed before they expire. Concurrent requests share one refresh. During it, and after it failed,
 * the old credentials are used while they are valid; afterwards its error is thrown.
 */
export class RefreshedCredentials implements CredentialSource {
  readonly #load: () => Promise<S3Credentials>;
  readonly #clock: Clock;
  #held: S3Credentials | undefined;
  /** Whichever comes first: the wall clock may be set, and the monotonic one may stop while the machine sleeps. */
  #askAt = { wall: Infinity, monotonic: Infinity };
  #asked: Promise<S3Credentials> | undefined;

  constructor(load: () => Promise<S3Credentials>, clock: Clock = systemClock) {
    this.#load = load;
    this.#clock = clock;
  }

  async get(): Promise<S3Credentials> {
    const held = this.#held;
    if (held === undefined) return this.#refresh();
    if (!this.#due()) return held;
    const fresh = this.#refresh();
    const orHeld = fresh.catch((error: unknown) => {
      if (this.#left(held) > 0) return held;
      throw error;
    });
    if (this.#left(held) <= lastMoments) return orHeld;
    // Its error is thrown to the requests that have to wait for it.
    orHeld.catch(() => undefined);
    return held;
  }

  async renew(refused: S3Credentials): Promise<boolean> {
    if (this.#held !== undefined && !same(this.#held, refused)) return true;
    return !same(await this.#refresh(), refused);
  }

  #refresh(): Promise<S3Credentials> {
    this.#asked ??= this.#load()
      .then(
        (fresh) => {
          const left = this.#left(fresh);
          this.#held = fresh;
          // At least a second: a provider that returns expired credentials is not called for every request.
          this.#askIn(Math.max(left - Math.min(margin, left / 4), 1000));
          return fresh;
        },
        (error: unknown) => {
          this.#askIn(pause);
          throw error;
        },
      )
      .finally(() => {
        this.#asked = undefined;
      });
    return this.#asked;
  }

  #due(): boolean {
    return this.#clock.now() >= this.#askAt.wall || monotonic(this.#clock) >= this.#askAt.monotonic;
  }

  #askIn(ms: number): void {
    this.#askAt = { wall: this.#clock.now() + ms, monotonic: monotonic(this.#clock) + ms };
  }

  #left({ expiration }: S3Credentials): number {
    return expiration === undefined ? Infinity : expiration.getTime() - this.#clock.now();
  }
}

function same(a: S3Credentials, b: S3Credentials): boolean {
  return (
    a.accessKeyId === b.accessKeyId &&
    a.secretAccessKey === b.secretAccessKey &&
    a.sessionToken === b.sessionToken
  );
}

import { monotonic, systemClock, type Clock } from '../../../flow/index.js';
import type { S3Credentials } from '../../../config/s3Options.js';

/** Where a client gets credentials from, and gets others once a server has refused them. */
export interface CredentialSource {
  /** What to sign with now. */
  get(): Promise<S3Credentials>;
  /** Whether there are others than those that were refused; `get` then gives them. */
  renew(refused: S3Credentials): Promise<boolean>;
}

/** Credentials that never change. */
export function fixed(credentials: S3Credentials): CredentialSource {
  return { get: () => Promise.resolve(credentials), renew: () => Promise.resolve(false) };
}

/** New credentials are asked for so long before the old ones end, or for a quarter of their life if that is less. Milliseconds. */
const margin = 5 * 60_000;

/** So close to their end, requests wait for new ones: one that is signed now has to arrive in time. Milliseconds. */
const lastMoments = 10_000;

/** Between two tries to get new ones while the old ones do. Milliseconds. */
const pause = 10_000;

/**
 * Credentials that are asked for anew before they end. However many requests want them, one question is under way. While
 * it is, and after it failed, the old ones are used as long as they hold; what it failed with is thrown once they do not.
 */
export class RefreshedCredentials implements CredentialSource {
  readonly #load: () => Promise<S3Credentials>;
  readonly #clock: Clock;
  #held: S3Credentials | undefined;
  /** By either reading of the clock: the system time may be set, and the other may stand still while the machine sleeps. */
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
    // What it fails with is thrown to the requests that can no longer do without.
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
          // A provider that returns what has expired already is not asked by every request.
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

import type { S3Client } from '@aws-sdk/client-s3';

type Plugin = Parameters<S3Client['middlewareStack']['use']>[0];

/** The clock skew that every server tolerates. Milliseconds. */
const tolerated = 4 * 60_000;

/** The part of the SDK's client that is used: how far the server's clock is ahead of this machine's. */
interface Client {
  readonly config: { readonly systemClockOffset: number };
}

/**
 * Repeats a command that was refused because this machine's clock is off. The SDK learns the server's time from every
 * response and signs by it from then on, but fails the request that it learned from, for a HEAD with a bare 403.
 *
 * A refused command had no effect, and its body is in memory, so it can be sent again.
 */
export function byServerTime({ config }: Client): Plugin {
  return {
    applyToStack: (stack) => {
      stack.add(
        (next) => async (args) => {
          const before = config.systemClockOffset;
          try {
            return await next(args);
          } catch (error) {
            if (!aboutTime(error as SdkError, before, config.systemClockOffset)) throw error;
            return next(args);
          }
        },
        { step: 'initialize', name: 'millraceServerTime' },
      );
    },
  };
}

interface SdkError {
  readonly name?: unknown;
  readonly $metadata?: { readonly httpStatusCode?: number };
  readonly $response?: { readonly headers?: Readonly<Record<string, string>> };
}

function aboutTime({ name, $metadata, $response }: SdkError, before: number, after: number): boolean {
  // The machine may have slept between signature and arrival.
  if (name === 'RequestTimeTooSkewed') return true;
  if (before === after || ![400, 401, 403].includes($metadata?.httpStatusCode ?? 0)) return false;
  const serverTime = Date.parse($response?.headers?.['date'] ?? '');
  return Math.abs(serverTime - (Date.now() + before)) >= tolerated;
}

/** Converts a time of the server to this machine's clock. */
export function byLocalClock(time: Date, { config }: Client): Date {
  const { systemClockOffset: offset } = config;
  return Math.abs(offset) < tolerated ? time : new Date(time.getTime() - offset);
}

import { createHash } from 'node:crypto';
import type { S3Client } from '@aws-sdk/client-s3';

type Plugin = Parameters<S3Client['middlewareStack']['use']>[0];

/** What is looked at of a command's input. */
interface Input {
  readonly Bucket?: string;
  readonly Body?: unknown;
  readonly ContentMD5?: string;
}

/**
 * Sends `Content-MD5` to buckets that want a checksum with every body, as those with Object Lock do: it is the one that every
 * server knows. A bucket that does not ask is spared the sum. The first body to a bucket goes out twice, as its refusal is
 * what tells; one that carries another checksum is never refused so. One of the plugin for each client.
 */
export function contentMd5OnDemand(): Plugin {
  const demanding = new Set<string>();
  return {
    applyToStack: (stack) =>
      stack.add(
        (next) => async (args) => {
          const input = args.input as Input;
          const { Bucket = '', Body: body } = input;
          if (!(body instanceof Uint8Array) || summed(input)) return next(args);
          const withSum = (): typeof args => ({
            ...args,
            input: { ...args.input, ContentMD5: contentMd5(body) },
          });
          if (demanding.has(Bucket)) return next(withSum());
          try {
            return await next(args);
          } catch (error) {
            if (!demandsChecksum(error)) throw error;
            demanding.add(Bucket);
            return next(withSum());
          }
        },
        { step: 'initialize', name: 'millraceContentMd5' },
      ),
  };
}

/** As the header has it. */
export function contentMd5(body: Uint8Array): string {
  return createHash('md5').update(body).digest('base64');
}

function summed(input: Input): boolean {
  return Object.entries(input).some(
    ([name, value]) => /^(Checksum|ContentMD5)/.test(name) && value !== undefined,
  );
}

/** Whether a request was refused because it has no checksum. */
export function demandsChecksum(error: unknown): boolean {
  const { name, message, $metadata } = error as {
    readonly name?: unknown;
    readonly message?: unknown;
    readonly $metadata?: { readonly httpStatusCode?: number };
  };
  if ($metadata?.httpStatusCode !== 400) return false;
  return /ContentMD5|Content-MD5|x-amz-checksum/i.test(`${String(name)} ${String(message)}`);
}

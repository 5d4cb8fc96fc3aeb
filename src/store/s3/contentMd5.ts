import { createHash } from 'node:crypto';
import type { S3Client } from '@aws-sdk/client-s3';

type Plugin = Parameters<S3Client['middlewareStack']['use']>[0];

interface Input {
  readonly Bucket?: string;
  readonly Body?: unknown;
  readonly ContentMD5?: string;
}

/**
 * Sends `Content-MD5`, which every server understands, to buckets that require a checksum with every body, such as those with
 * Object Lock. Such a bucket is recognized by its refusal, so its first body is sent twice. Use one plugin per client.
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

/** The value of the header. */
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

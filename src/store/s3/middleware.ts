import type { S3Client } from '@aws-sdk/client-s3';
import { contentMd5 } from './contentMd5.js';

type Plugin = Parameters<S3Client['middlewareStack']['use']>[0];

interface Args {
  readonly request: { readonly headers: Record<string, string>; readonly body?: unknown };
}

/** Leaves bodies out of the signature, which saves their SHA-256. */
export const unsignedPayload: Plugin = {
  applyToStack: (stack) =>
    stack.add(
      (next, context) => (args) => {
        if (context.commandName === 'PutObjectCommand' || context.commandName === 'UploadPartCommand') {
          (args as Args).request.headers['x-amz-content-sha256'] = 'UNSIGNED-PAYLOAD';
        }
        return next(args);
      },
      { step: 'build', name: 'millraceUnsignedPayload' },
    ),
};

/** Requests the stored checksum with reads of whole objects. */
export const askForChecksum: Plugin = {
  applyToStack: (stack) =>
    stack.add(
      (next, context) => (args) => {
        const { headers } = (args as Args).request;
        if (context.commandName === 'GetObjectCommand' && headers['range'] === undefined)
          headers['x-amz-checksum-mode'] = 'ENABLED';
        return next(args);
      },
      { step: 'build', name: 'millraceChecksumMode' },
    ),
};

/**
 * A batch delete must have a checksum. The SDK sends a CRC32, which only newer servers accept; all understand
 * Content-MD5.
 */
export const md5ForDelete: Plugin = {
  applyToStack: (stack) =>
    stack.add(
      (next, context) => (args) => {
        if (context.commandName === 'DeleteObjectsCommand') {
          const { headers, body } = (args as Args).request;
          for (const name of Object.keys(headers)) {
            if (/^x-amz-(sdk-)?checksum-/i.test(name)) Reflect.deleteProperty(headers, name);
          }
          headers['content-md5'] = contentMd5(Buffer.from(body as string));
        }
        return next(args);
      },
      { step: 'build', priority: 'low', name: 'millraceDeleteMd5' },
    ),
};

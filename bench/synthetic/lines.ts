import { GetObjectCommand, ListObjectsV2Command, type S3Client } from '@aws-sdk/client-s3';
import { crc32 } from 'node:zlib';

/**
 * The number of lines below a prefix, and a checksum that is independent of their order and files. No lines are an
 * error, so that two jobs that did nothing do not agree.
 */
export async function digestOfLines(client: S3Client, Bucket: string, Prefix: string): Promise<string> {
  let lines = 0;
  let sum = 0;
  let bytes = 0;
  for (let ContinuationToken: string | undefined; ;) {
    const page = await client.send(
      new ListObjectsV2Command({
        Bucket,
        Prefix,
        ...(ContinuationToken === undefined ? {} : { ContinuationToken }),
      }),
    );
    for (const { Key } of page.Contents ?? []) {
      const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }));
      const content = Buffer.from((await Body?.transformToByteArray()) ?? []);
      bytes += content.length;
      for (let from = 0; from < content.length;) {
        const newline = content.indexOf(10, from);
        const to = newline < 0 ? content.length : newline;
        sum = (sum + crc32(content.subarray(from, to))) % Number.MAX_SAFE_INTEGER;
        lines++;
        from = to + 1;
      }
    }
    ContinuationToken = page.NextContinuationToken;
    if (ContinuationToken === undefined) break;
  }
  if (lines === 0) throw new Error(`there is no output below ${Prefix}`);
  return `${lines} lines, ${bytes} bytes, sum ${sum}`;
}

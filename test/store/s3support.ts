import { GetObjectTaggingCommand, S3Client } from '@aws-sdk/client-s3';
import { lastValueFrom, type Observable } from 'rxjs';

export const credentials = { accessKeyId: 'TESTKEY', secretAccessKey: 'a-secret-of-the-test/+=' };

/** The one answer of a request. */
export const answer = <T>(request: Observable<T>): Promise<T> => lastValueFrom(request);

/** Reads the tags of an object with the SDK alone. */
export function tagsFrom(
  endpoint: string,
  bucket: string,
  keys = credentials,
): (key: string) => Promise<Record<string, string>> {
  return async (key) => {
    const client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials: keys });
    const { TagSet = [] } = await client.send(new GetObjectTaggingCommand({ Bucket: bucket, Key: key }));
    client.destroy();
    return Object.fromEntries(TagSet.map(({ Key = '', Value = '' }) => [Key, Value]));
  };
}

/** The error of a request that must fail. */
export async function failure(request: Observable<unknown>): Promise<Error & { code?: string }> {
  try {
    await lastValueFrom(request, { defaultValue: undefined });
  } catch (error) {
    return error as Error;
  }
  throw new Error('The request was to fail.');
}

import { lastValueFrom, type Observable } from 'rxjs';

export const credentials = { accessKeyId: 'TESTKEY', secretAccessKey: 'a-secret-of-the-test/+=' };

/** The one answer of a request. */
export const answer = <T>(request: Observable<T>): Promise<T> => lastValueFrom(request);

/** The error of a request that must fail. */
export async function failure(request: Observable<unknown>): Promise<Error & { code?: string }> {
  try {
    await lastValueFrom(request, { defaultValue: undefined });
  } catch (error) {
    return error as Error;
  }
  throw new Error('The request was to fail.');
}

import { StoreError } from '../../errors.js';

/** There are no credentials. It carries the SDK's name for that, which tells it from a lack of rights. */
export function noCredentials(message: string): StoreError {
  return new StoreError('PermissionDenied', message, { serverCode: 'CredentialsProviderError' });
}

/** Whether a text is about a connection that failed: the providers pass on the text of an error, and nothing else. */
export function isAboutNetwork(text: string): boolean {
  return /\bE(CONN[A-Z]+|NOTFOUND|AI_AGAIN|TIMEDOUT|HOSTUNREACH|NETUNREACH|PIPE|PROTO)\b|TimeoutError|socket hang up/.test(
    text,
  );
}

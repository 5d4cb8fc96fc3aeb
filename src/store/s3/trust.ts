import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import * as tls from 'node:tls';
import { MillraceError } from '../../errors.js';
import type { AwsSettings, Configured } from './aws/settings.js';

/**
 * The trusted certificate authorities: those of Node, and those of the bundle. `undefined` if there is no bundle. Throws
 * `InvalidS3Options`.
 */
export function trusted(bundle: string | undefined, aws: AwsSettings): tls.SecureContext | undefined {
  const given = bundle === undefined ? aws.caBundle : { value: bundle, where: 'caBundle' };
  if (given === undefined) return undefined;
  return tls.createSecureContext({ ca: [...nodesOwn(aws), ...certificatesIn(given)] });
}

/** Checks every certificate: Node skips those that it cannot parse. */
function certificatesIn(given: Configured): readonly string[] {
  let text: string;
  try {
    text = readFileSync(given.value, 'utf8');
  } catch (error) {
    throw invalid(given, `cannot be read: ${(error as NodeJS.ErrnoException).code ?? 'error'}`);
  }
  const found = text.match(/-----BEGIN CERTIFICATE-----[^]*?-----END CERTIFICATE-----/g);
  if (found === null) throw invalid(given, 'holds no certificate in PEM form');
  try {
    for (const each of found) new X509Certificate(each);
  } catch {
    throw invalid(given, 'holds a certificate that cannot be read');
  }
  return found;
}

/** Node's default authorities, which an explicit list would replace. */
function nodesOwn(aws: AwsSettings): readonly string[] {
  const { getCACertificates } = tls as { readonly getCACertificates?: (kind: 'default') => string[] };
  if (getCACertificates !== undefined) return getCACertificates('default');
  const extra = aws.variable('NODE_EXTRA_CA_CERTS');
  try {
    return extra === undefined
      ? tls.rootCertificates
      : [...tls.rootCertificates, readFileSync(extra, 'utf8')];
  } catch {
    return tls.rootCertificates; // Node has already warned
  }
}

function invalid({ value, where }: Configured, what: string): MillraceError {
  return new MillraceError(
    'InvalidS3Options',
    `S3 options: the bundle of certificate authorities ${value} (${where}) ${what}. It must be a file of certificates in PEM form.`,
  );
}

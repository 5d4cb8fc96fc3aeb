import type { Agent } from 'node:http';
import type { Duration } from './units.js';

/** Keys as the server hands them out. */
export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  /** When they stop working; a provider is asked again shortly before. */
  readonly expiration?: Date;
}

/** How to find credentials, by the names that other S3 tools use. `PROFILE` may name one: `{ provider: 'PROFILE', profile }`. */
export type CredentialProvider = 'AUTO' | 'ENV_VAR' | 'PROFILE' | 'ASSUME_ROLE' | 'ANONYMOUS';

/** A role that is assumed with the base credentials, anew before its session ends. */
export interface AssumeRoleOptions {
  readonly arn: string;
  readonly externalId?: string;
  /** Default `millrace-session`. */
  readonly sessionName?: string;
  /** 900 s to 12 h; a number is seconds. Default 1 h. */
  readonly sessionDuration?: Duration;
  /** Default: the region's own STS endpoint on AWS, the S3 endpoint on other servers. */
  readonly endpoint?: string;
}

/** Encryption by the server of everything that is written: objects, uploads, copies, state, manifests, journals. */
export interface EncryptionOptions {
  /** Default `none`: what the bucket does by default; `sse-c` with a customer's key. */
  readonly type?: 'none' | 'sse-s3' | 'sse-kms' | 'sse-c';
  readonly kms?: {
    /** Key id, ARN or `alias/…`. Default: the account's key for S3. */
    readonly keyId?: string;
    /** Names and values that are bound to the data, and that key policies may ask for. */
    readonly encryptionContext?: Readonly<Record<string, string>>;
  };
  /** The customer's key of `sse-c`: 32 bytes, or their base64. It is sent with every request, to read as to write; what it encrypts cannot be read without. */
  readonly customerKey?: string | Uint8Array;
  /** A file with the same. */
  readonly customerKeyFile?: string;
  /** The key may be sent to an http server that is not on this machine. Default false. */
  readonly customerKeyOverHttp?: boolean;
}

/** Waits between tries: uniform from 0 to base × 2^n. */
export interface S3RetryOptions {
  /** Retries after the first try. Default 3. */
  readonly maxRetries?: number;
  /** Default 100 ms. */
  readonly base?: Duration;
  /** Where the server asked for fewer requests (503 SlowDown, 429). Default 1 s. */
  readonly throttledBase?: Duration;
  /** No wait is longer. Default 20 s. */
  readonly cap?: Duration;
}

/** What may differ from bucket to bucket. */
export interface BucketOptions {
  /** Default: the AWS chain (`AWS_REGION`, `AWS_DEFAULT_REGION`, the profile, IMDS); `us-east-1` for a custom endpoint without one. */
  readonly region?: string;
  /** `http(s)://host[:port][/path]` of a server. Default: `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`, `endpoint_url` of the profile, else AWS. */
  readonly endpoint?: string;
  /** Address buckets as `host/bucket` rather than `bucket.host`. Default: true with a custom endpoint. */
  readonly forcePathStyle?: boolean;
  /** Keys, a way to find them, or a function that provides them. Default `AUTO`: the AWS chain (environment, profile, SSO, container, instance). */
  readonly credentials?:
    | S3Credentials
    | CredentialProvider
    | { readonly provider: 'PROFILE'; readonly profile?: string }
    | (() => Promise<S3Credentials>);
  readonly assumeRole?: AssumeRoleOptions;
  readonly sse?: EncryptionOptions;
  /** Canned ACL of what is written, such as `bucket-owner-full-control`. Default: none is sent. */
  readonly acl?:
    | 'private'
    | 'public-read'
    | 'public-read-write'
    | 'authenticated-read'
    | 'aws-exec-read'
    | 'bucket-owner-read'
    | 'bucket-owner-full-control';
  /** The requester pays for requests, as Requester Pays buckets demand. Default false. */
  readonly requesterPays?: boolean;
  /** URL of an HTTP proxy, with user and password if it wants them, or `none`. Default: `HTTPS_PROXY` for https servers, `HTTP_PROXY` for others. */
  readonly proxy?: string;
  /** PEM file of certificate authorities to trust besides Node's. Default: `AWS_CA_BUNDLE`, `ca_bundle` of the profile. */
  readonly caBundle?: string;
}

/** How to reach S3 servers. Everything has a default; AWS usually needs no configuration. */
export interface S3Options extends BucketOptions {
  /** Overrides by bucket name. `*.logs` is for all buckets whose names end in `.logs`; an exact name wins, then the longest. */
  readonly buckets?: Readonly<Record<string, BucketOptions>>;
  /** For `s3x://` servers. Default `https`. */
  readonly endpointProtocol?: 'http' | 'https';
  /** Hosts that are reached without a proxy: names (with all below them), addresses, networks; `*` for all. Default: `NO_PROXY`. */
  readonly noProxy?: string;
  /** Makes connections in place of ours, with neither `proxy` nor `caBundle`. One for both schemes, or one for each. It is not closed. */
  readonly agent?: Agent | { readonly http?: Agent; readonly https?: Agent };
  /** AWS's dual-stack (IPv4 and IPv6) hosts. Default false. */
  readonly dualStack?: boolean;
  /** AWS's Transfer Acceleration hosts. Default false. */
  readonly accelerate?: boolean;
  /** `STANDARD_IA`, `GLACIER_IR`, …, of what is written. Default: the bucket's. */
  readonly storageClass?: string;
  /** Connections at the same time, of each endpoint. Default 50. */
  readonly maxSockets?: number;
  /** Connections of their own for manifests. Default 4. */
  readonly reservedSockets?: number;
  /** To establish a connection. Default 60 s. */
  readonly connectionTimeout?: Duration;
  /** Time without a byte in either direction before the answer starts. Default 60 s. */
  readonly requestTimeout?: Duration;
  /** Time that a body may stall before the rest is requested again. Default 10 s. */
  readonly idleTimeout?: Duration;
  /** For a whole request: head, list, delete and the like. Default 1 min. */
  readonly lowTimeout?: Duration;
  /** For a whole copy or Complete, which take servers long. Default 5 min. */
  readonly highTimeout?: Duration;
  /** How often one read asks again for the rest of a body that stalled or broke off. Default 5. */
  readonly bodyResumes?: number;
  readonly retry?: S3RetryOptions;
  /** Bodies carry a checksum that the server verifies. Default: `crc32` on AWS, else `when-required`. */
  readonly checksum?: 'crc32' | 'crc32c' | 'crc64nvme' | 'md5' | 'when-required';
  /** Whole objects that are read are compared with the checksum the server keeps. Default: true on AWS, else false. */
  readonly checksumValidation?: boolean;
  /** Bodies are sent as `aws-chunked`, with their checksum behind them. Default false: bodies are in memory, and so are their checksums. */
  readonly chunkedEncoding?: boolean;
  /** Whether the SHA-256 of a body is signed. Default: `unsigned` over https, which protects it, else `signed`. */
  readonly payloadSigning?: 'signed' | 'unsigned';
}

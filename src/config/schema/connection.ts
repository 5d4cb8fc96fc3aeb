import { choice, code, count, duration, flag, size, text, uri } from './kinds.js';
import { longestTimer, type Row } from './row.js';

const timer = duration({ least: 1, most: longestTimer, rule: "1 ms to 24 days, such as '60s'" });

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;

/** Recognizes an agent by the method that Node calls: packages have their own base classes. */
const isAgent = (value: unknown): boolean =>
  isObject(value) &&
  ['addRequest' in value ? value : undefined, value['http'], value['https']].some(
    (each) => isObject(each) && typeof each['addRequest'] === 'function',
  );

/** The server, and the requests to it. */
export const connection: readonly Row[] = [
  {
    key: 's3.region',
    kind: text("a region's name, such as eu-central-1", /^[a-z0-9-]+$/i),
    fallback:
      'what AWS finds: `AWS_REGION`, `AWS_DEFAULT_REGION`, the profile, IMDS; `us-east-1` for a custom endpoint',
    option: 's3.region',
    doc: 'Region of the buckets.',
    perBucket: true,
  },
  {
    key: 's3.endpoint',
    kind: uri(
      'a URL such as https://s3.example.com:9000, optionally with a path, without user or password',
      /^https?:\/\/[^/?#@\s]+(\/[^?#\s]*)?$/i,
    ),
    fallback: '`AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`, `endpoint_url` of the profile, else AWS',
    option: 's3.endpoint',
    doc: 'The server. One that is not AWS is "custom" below.',
    perBucket: true,
  },
  {
    key: 's3.path-style-access',
    kind: flag,
    fallback: 'false; true with a custom endpoint',
    option: 's3.forcePathStyle',
    doc: 'Buckets are addressed as `host/bucket` rather than `bucket.host`.',
    perBucket: true,
  },
  {
    key: 's3.chunked-encoding.enabled',
    kind: flag,
    fallback: 'false',
    option: 's3.chunkedEncoding',
    doc: 'Bodies are sent as `aws-chunked`, with a trailing checksum.',
  },
  {
    key: 's3.checksum-validation.enabled',
    kind: flag,
    fallback: 'true; false with a custom endpoint',
    option: 's3.checksumValidation',
    doc: 'Whole objects that are read are compared with the checksum that the server keeps.',
  },
  {
    key: 's3.integrity-check-algorithm',
    kind: choice({
      CRC32: 'crc32',
      CRC32C: 'crc32c',
      CRC64NVME: 'crc64nvme',
      MD5: 'md5',
      disabled: 'when-required',
      'when-required': 'when-required',
    }),
    fallback: 'CRC32; disabled with a custom endpoint',
    option: 's3.checksum',
    doc: 'Checksum that bodies carry for the server to verify.',
  },
  {
    key: 's3.payload-signing',
    kind: choice({ signed: 'signed', unsigned: 'unsigned' }),
    fallback: 'unsigned over https, signed over http',
    option: 's3.payloadSigning',
    doc: 'Whether the SHA-256 of bodies is part of the signature.',
  },
  {
    key: 's3.storage-class',
    kind: text('the name of a storage class, such as STANDARD_IA', /^[A-Z0-9_]+$/),
    fallback: "the bucket's",
    option: 's3.storageClass',
    doc: 'Storage class of what is written.',
  },
  {
    key: 's3.acl',
    kind: choice({
      private: 'private',
      'public-read': 'public-read',
      'public-read-write': 'public-read-write',
      'authenticated-read': 'authenticated-read',
      'aws-exec-read': 'aws-exec-read',
      'bucket-owner-read': 'bucket-owner-read',
      'bucket-owner-full-control': 'bucket-owner-full-control',
    }),
    fallback: 'none is sent',
    option: 's3.acl',
    doc: 'Canned ACL of what is written.',
    perBucket: true,
  },
  {
    key: 's3.requester-pays',
    kind: flag,
    fallback: 'false',
    option: 's3.requesterPays',
    doc: 'Agrees that the requester pays, as Requester Pays buckets demand.',
    perBucket: true,
  },
  {
    key: 's3.dual-stack.enabled',
    kind: flag,
    fallback: 'false',
    option: 's3.dualStack',
    doc: "AWS's hosts for IPv4 and IPv6.",
  },
  {
    key: 's3.transfer-acceleration.enabled',
    kind: flag,
    fallback: 'false',
    option: 's3.accelerate',
    doc: "AWS's Transfer Acceleration hosts.",
  },
  {
    key: 's3.proxy',
    kind: uri(
      'the URL of an HTTP proxy, such as http://proxy.example.com:3128, or none',
      /^(none|(https?:\/\/)?[^/?#\s]+\/?)$/i,
    ),
    fallback: '`HTTPS_PROXY` for https servers, `HTTP_PROXY` for others',
    option: 's3.proxy',
    doc: 'Proxy that requests go through, with `user:password@` if it requires them. `none`: no proxy.',
    perBucket: true,
  },
  {
    key: 's3.no-proxy',
    kind: text('hosts between commas'),
    fallback: '`NO_PROXY`',
    option: 's3.noProxy',
    doc: 'Servers that are reached without a proxy: names, which include all subdomains, addresses, networks, each optionally with a port; `*` is all.',
  },
  {
    key: 's3.ca-bundle',
    kind: text("a file's path"),
    fallback: '`AWS_CA_BUNDLE`, `ca_bundle` of the profile',
    option: 's3.caBundle',
    doc: 'PEM file of certificate authorities that are trusted besides those of Node and `NODE_EXTRA_CA_CERTS`.',
    perBucket: true,
  },
  {
    key: 's3.agent',
    kind: code('an http.Agent, or { http, https } with one for each', isAgent),
    fallback: 'none',
    option: 's3.agent',
    doc: 'Makes the connections, in place of ours and of `s3.proxy` and `s3.ca-bundle`.',
    where: 'code',
  },
  {
    key: 's3.connection.max',
    kind: count({ least: 1, most: 10_000, rule: '1 to 10,000' }),
    fallback: '50',
    option: 's3.maxSockets',
    doc: 'Connections at the same time, of each endpoint.',
  },
  {
    key: 's3.connection.reserved',
    kind: count({ least: 1, most: 100, rule: '1 to 100' }),
    fallback: '4',
    option: 's3.reservedSockets',
    doc: 'Connections besides, for manifests only.',
  },
  {
    key: 's3.connection.timeout',
    kind: timer,
    fallback: '60s',
    option: 's3.connectionTimeout',
    doc: 'To establish a connection.',
  },
  {
    key: 's3.socket.timeout',
    kind: timer,
    fallback: '60s',
    option: 's3.requestTimeout',
    doc: 'Time without a byte in either direction before the answer starts.',
  },
  {
    key: 's3.read.idle-timeout',
    kind: timer,
    fallback: '10s',
    option: 's3.idleTimeout',
    doc: 'Time that a body may stall before the rest is requested again.',
  },
  {
    key: 's3.read.max-resumes',
    kind: count({ least: 0, most: 1000, rule: '0 to 1,000' }),
    fallback: '5',
    option: 's3.bodyResumes',
    doc: 'How often one read requests the rest of a body that stalled or broke off.',
  },
  {
    key: 's3.retry.max-num-retries',
    kind: count({ least: 0, most: 1000, rule: '0 to 1,000' }),
    fallback: '3',
    option: 's3.retry.maxRetries',
    doc: 'Retries of a request after its first try.',
  },
  {
    key: 's3.retry.base-delay',
    kind: timer,
    fallback: '100ms',
    option: 's3.retry.base',
    doc: 'First wait before a retry, at most; each further one may be twice as long.',
  },
  {
    key: 's3.retry.throttled-base-delay',
    kind: timer,
    fallback: '1s',
    option: 's3.retry.throttledBase',
    doc: 'The same after the server has throttled a request.',
  },
  {
    key: 's3.retry.max-delay',
    kind: timer,
    fallback: '20s',
    option: 's3.retry.cap',
    doc: 'No wait before a retry is longer.',
  },
];

const wholeRequest = duration({
  least: 10,
  most: longestTimer,
  rule: "10 ms to 24 days, with a unit, such as '1m', or in milliseconds",
});

/** The keys of the NIO file system. */
export const spi: readonly Row[] = [
  {
    key: 's3.spi.endpoint-protocol',
    kind: choice({ https: 'https', http: 'http' }),
    fallback: 'https',
    option: 's3.endpointProtocol',
    doc: 'Protocol for the servers of `s3x://` URIs.',
  },
  {
    key: 's3.spi.force-path-style',
    kind: flag,
    fallback: 'false; true with a custom endpoint',
    option: 's3.forcePathStyle',
    doc: 'Means the same as `s3.path-style-access`.',
  },
  {
    key: 's3.spi.timeout-low',
    kind: wholeRequest,
    fallback: '1m',
    option: 's3.lowTimeout',
    doc: 'For a whole request: head, list, delete and the like.',
  },
  {
    key: 's3.spi.timeout-high',
    kind: wholeRequest,
    fallback: '5m',
    option: 's3.highTimeout',
    doc: 'For a whole copy or Complete, which take servers long.',
  },
  {
    key: 's3.spi.read.max-fragment-size',
    aliases: ['s3.spi.read.fragment-size'],
    kind: size({ least: 1, most: 2 ** 30, rule: "1 byte to 1 GiB, such as '5MiB'" }),
    fallback: '5MiB for readers, 8MiB for `files()`',
    option: 'transfer.fragmentSize',
    doc: 'Bytes that one request of a read asks for.',
  },
  {
    key: 's3.spi.read.max-fragment-number',
    aliases: ['s3.spi.read.fragment-number'],
    kind: count({ least: 2, most: 10_000, rule: '2 to 10,000' }),
    fallback: '50 for readers, 8 for `files()`',
    option: 'transfer.fragmentNumber',
    doc: 'Fragments that a read holds or fetches at once.',
  },
  {
    key: 's3.spi.write.multipart-part-size',
    kind: size({ least: 5 * 2 ** 20, most: 2 ** 30, rule: "5 MiB to 1 GiB, such as '8MiB'" }),
    fallback: '8MiB',
    option: 'transfer.writePartSize',
    doc: 'Part size of what operations and `millrace/fs` write.',
  },
];

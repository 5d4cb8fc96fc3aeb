/**
 * `millrace/stores`: object stores, connections, credentials and URIs.
 *
 * {@link openStores} opens stores of every scheme by URI. To use your own {@link ObjectStore} in a job, pass it to
 * {@link createStores}.
 */

// Stores by URI
export { openStores, type OpenedStores, type OpenStoresOptions } from '../store/open.js';
export { createStores, type StoresOptions } from '../store/registry.js';
export type {
  DirectoryIdentity,
  Identities,
  InPlace,
  LifecycleRule,
  StoreCapabilities,
  StoreLocation,
  Stores,
} from '../store/services.js';

// Objects open for reading
export { openObject, type OpenedObject, type OpenObjectOptions } from '../fs/openObject.js';

// Files that survive the crash of their writer
export {
  InvalidRecoverable,
  openRecoverableWriter,
  type CommitOptions,
  type CommittedFile,
  type OpenFileOptions,
  type RecoverableFile,
  type RecoverableWriter,
  type RecoverableWriterOptions,
} from '../fs/recoverable/index.js';

// The port
export type {
  ByteRange,
  ContentHeaders,
  CopyOptions,
  CreatedUpload,
  DeleteFailure,
  GetOptions,
  Layout,
  ListOptions,
  ListPage,
  Metadata,
  ObjectBody,
  ObjectDescription,
  ObjectInfo,
  ObjectStore,
  PutOptions,
  PutResult,
  Tags,
  TakeBytes,
  Unlisted,
  UploadCursor,
  UploadedPart,
  UploadInfo,
  UploadOptions,
  UploadPage,
} from '../store/objectStore.js';
export { isStoreError, StoreError, type StoreErrorCode, type StoreErrorOptions } from '../store/errors.js';
export { listAll } from '../store/helpers.js';

// Adapters
export type { Links } from '../store/links.js';
export type { DirectoryEntry, Disk } from '../store/local/disk.js';
export { createLocalStore, type LocalStoreOptions } from '../store/local/index.js';
export { createMemoryStore, memoryStore, type MemoryStoreOptions } from '../store/memory/index.js';
export { S3Connection, s3Store, type OwnOptions, type S3Context } from '../store/s3/index.js';

// Decorators
export { counting, type CountingStore, type StoreCounts } from '../store/decorators/counting.js';
export { decorate, type Around, type StoreCall, type StoreMethod } from '../store/decorators/decorate.js';
export { retrying, type RetryOptions } from '../store/decorators/retry.js';
export { observed, type ObserveOptions } from '../store/observe/observed.js';

// Observing and probing stores
export {
  requestChannels,
  type RequestEnd,
  type RequestError,
  type RequestRetry,
  type RequestStart,
  type StoreRequest,
} from '../store/observe/channels.js';
export type {
  InputAmount,
  ProgressMessage,
  SourceLag,
  SourceProgress,
} from '../store/observe/sourceProgress.js';
export { inspectServer, type Finding, type FindingName, type ServerReport } from '../store/inspect.js';
export { probe } from '../store/probe.js';

// Credentials
export type {
  AssumeRoleOptions,
  BucketOptions,
  CredentialProvider,
  EncryptionOptions,
  S3Credentials,
  S3RetryOptions,
} from '../config/s3Options.js';
export {
  delegationTokens,
  deserializeToken,
  receivedTokens,
  sendTokens,
  serializeToken,
  type DelegationToken,
  type DelegationTokensOptions,
  type ReceivedTokensOptions,
  type SerializedToken,
} from '../store/s3/credentials/index.js';

// URIs and paths
export { filePath, fileUri } from '../path/local.js';
export { InvalidGlob } from '../path/glob.js';
export { InvalidUri, PathError, UnknownScheme, type PathErrorCode } from '../path/errors.js';
export { S3Path } from '../path/s3Path.js';
export { formatUri, parseUri, type ObjectUri, type Scheme } from '../path/uri.js';

// Sections of `Config` and `ConfigOptions`
export type {
  Checkpoints,
  DelegationTokens,
  Origin,
  Restarts,
  Savepoints,
  Stalls,
  State,
  Transfer,
} from '../config/config.js';
export type {
  CheckpointDefaults,
  DelegationTokenOptions,
  RestartDefaults,
  SavepointDefaults,
  StallDefaults,
  StateOptions,
  TransferOptions,
} from '../config/options.js';

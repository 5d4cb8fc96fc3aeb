/** URIs, globs and paths of objects. Pure; depends only on the error class. */
export type { UserInfo } from './authority.js';
export { plainUri, withoutEntropy, type WithoutEntropy } from './entropy.js';
export { PathError, type PathErrorCode } from './errors.js';
export { compileGlob, compileUriGlob, InvalidGlob, type Glob, type GlobOptions } from './glob.js';
export { filePath, fileUri } from './local.js';
export { S3Path } from './s3Path.js';
export {
  formatUri,
  uriBelow,
  hideUserInfo,
  InvalidUri,
  isDirectoryBucket,
  parseUri,
  refuseBucket,
  splitUri,
  UnknownScheme,
  userInfo,
  type ObjectUri,
  type Scheme,
} from './uri.js';

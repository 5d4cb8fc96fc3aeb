/** The fixed matrix of inputs and subscribers that every operator is tried with. */
export { matrix, type MatrixRow } from './rows.js';
export type { MatrixSubject } from './run.js';

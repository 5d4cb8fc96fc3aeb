import { rescales } from './rescalings.js';

rescales([1, 2, 3, 8]);

import { rescales } from './rescalings.js';

rescales([1, 3, 8], 6);

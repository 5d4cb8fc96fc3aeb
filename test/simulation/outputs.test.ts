import { outputsAreExact } from './outputs.js';

outputsAreExact({ thin: 41 });

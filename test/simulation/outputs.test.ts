import { outputsAreExact } from './outputs.js';

outputsAreExact({ thin: 21 });

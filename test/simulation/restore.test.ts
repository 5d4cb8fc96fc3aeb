import { restores } from './restores.js';

restores({ thin: 16, rare: 1, seeds: 26 });

import { restores } from './restores.js';

restores({ thin: 1, rare: 6, seeds: 100 });

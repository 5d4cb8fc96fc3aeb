import { restores } from './restores.js';

restores({ thin: 25, rare: 1, seeds: 26 });

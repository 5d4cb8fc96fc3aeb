import { restores } from './restores.js';

restores({ thin: 50, rare: 1, seeds: 26 });

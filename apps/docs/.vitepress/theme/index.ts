import DefaultTheme from 'vitepress/theme-without-fonts';
import { adaptPage } from './page.ts';
import './style.css';

export default { extends: DefaultTheme, setup: adaptPage };

"""Tests of projects: settings, definitions, scaffold, the example and the README."""

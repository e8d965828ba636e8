"""The smallest Django site with a page made of a query and a template; settings as ``startproject`` writes them."""

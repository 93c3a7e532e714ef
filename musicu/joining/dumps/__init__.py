"""The join formats that come with musicu, one file each."""

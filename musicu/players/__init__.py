"""Music servers and players that people already run: their songs read, their playlists written."""

from musicu.players.jellyfin_server import JellyfinServer
from musicu.players.player_links import PlayerLinks, every_player
from musicu.players.song_joining import RootMap
from musicu.players.subsonic_client import Credentials, SubsonicClient
from musicu.players.subsonic_scan import ServerScanOptions, ServerScanReport, scan_server

__all__ = [
    "Credentials",
    "JellyfinServer",
    "PlayerLinks",
    "RootMap",
    "ServerScanOptions",
    "ServerScanReport",
    "SubsonicClient",
    "every_player",
    "scan_server",
]
